"""SIP answers and hangup causes, mapped as FreeSWITCH's mod_sofia maps them.

The facts are those of `hangup_cause_to_sip` (mod_sofia.c) and
`sofia_glue_sip_cause_to_freeswitch` (sofia_glue.c).
"""

from __future__ import annotations

from http import HTTPStatus

from labswitch.causes import Q850

DEFAULT_ANSWER = 480
DEFAULT_CAUSE = "NORMAL_UNSPECIFIED"

_ANSWER_OF_CAUSE = {
    "UNALLOCATED_NUMBER": 404,
    "NO_ROUTE_TRANSIT_NET": 404,
    "NO_ROUTE_DESTINATION": 404,
    "USER_BUSY": 486,
    "NO_USER_RESPONSE": 408,
    "NO_ANSWER": 480,
    "SUBSCRIBER_ABSENT": 480,
    "CALL_REJECTED": 603,
    "NUMBER_CHANGED": 410,
    "REDIRECTION_TO_NEW_DESTINATION": 410,
    "DESTINATION_OUT_OF_ORDER": 502,
    "INVALID_PROFILE": 502,
    "INVALID_NUMBER_FORMAT": 484,
    "INVALID_URL": 484,
    "INVALID_GATEWAY": 484,
    "FACILITY_REJECTED": 501,
    "NORMAL_UNSPECIFIED": 480,
    "REQUESTED_CHAN_UNAVAIL": 503,
    "NORMAL_CIRCUIT_CONGESTION": 503,
    "NETWORK_OUT_OF_ORDER": 503,
    "NORMAL_TEMPORARY_FAILURE": 503,
    "SWITCH_CONGESTION": 503,
    "GATEWAY_DOWN": 503,
    "OUTGOING_CALL_BARRED": 403,
    "INCOMING_CALL_BARRED": 403,
    "BEARERCAPABILITY_NOTAUTH": 403,
    "BEARERCAPABILITY_NOTAVAIL": 503,
    "BEARERCAPABILITY_NOTIMPL": 488,
    "INCOMPATIBLE_DESTINATION": 488,
    "FACILITY_NOT_IMPLEMENTED": 501,
    "SERVICE_NOT_IMPLEMENTED": 501,
    "RECOVERY_ON_TIMER_EXPIRE": 504,
    "ORIGINATOR_CANCEL": 487,
    "EXCHANGE_ROUTING_ERROR": 483,
    "BUSY_EVERYWHERE": 600,
    "DECLINE": 603,
    "REJECT_ALL": 603,
    "DOES_NOT_EXIST_ANYWHERE": 604,
    "NOT_ACCEPTABLE": 606,
    "UNWANTED": 607,
}

_CAUSE_OF_ANSWER = {
    **dict.fromkeys((401, 402, 403, 407, 603, 608), "CALL_REJECTED"),
    **dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), "INTERWORKING"),
    **dict.fromkeys((400, 481, 500, 503), "NORMAL_TEMPORARY_FAILURE"),
    **dict.fromkeys((406, 415, 501), "SERVICE_NOT_IMPLEMENTED"),
    **dict.fromkeys((485, 604), "NO_ROUTE_DESTINATION"),
    **dict.fromkeys((408, 504), "RECOVERY_ON_TIMER_EXPIRE"),
    **dict.fromkeys((486, 600), "USER_BUSY"),
    **dict.fromkeys((488, 606), "INCOMPATIBLE_DESTINATION"),
    **dict.fromkeys((482, 483), "EXCHANGE_ROUTING_ERROR"),
    200: "NORMAL_CLEARING",
    404: "UNALLOCATED_NUMBER",
    405: "SERVICE_UNAVAILABLE",
    410: "NUMBER_CHANGED",
    480: "NO_USER_RESPONSE",
    484: "INVALID_NUMBER_FORMAT",
    487: "ORIGINATOR_CANCEL",
    502: "NETWORK_OUT_OF_ORDER",
    607: "UNWANTED",
}

_HIGHEST_Q850 = 127
"""FreeSWITCH numbers the causes of its own making from 400 on; they are not for other switches."""
_CAUSE_OF_Q850 = {number: cause for cause, number in Q850.items() if number <= _HIGHEST_Q850}

_PHRASES = {
    480: "Temporarily Unavailable",
    481: "Call Does Not Exist",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}


def sip_answer_of(cause: str) -> int:
    """The final SIP answer with which a call that isn't answered yet is refused for `cause`."""
    return _ANSWER_OF_CAUSE.get(cause, DEFAULT_ANSWER)


def cause_of_sip(code: int) -> str:
    """The hangup cause of a call that was refused with the SIP answer `code`."""
    return _CAUSE_OF_ANSWER.get(code, DEFAULT_CAUSE)


def reason_of(cause: str) -> tuple[str, int] | None:
    """Protocol and number that a Reason header gives for `cause`, None for one without a number.

    FreeSWITCH's own causes, numbered above those of Q.850, go out as `SIP`.
    """
    number = Q850.get(cause)
    if number is None:
        return None
    return ("Q.850" if number <= _HIGHEST_Q850 else "SIP"), number


def cause_of_q850(number: int) -> str | None:
    """The hangup cause that a `Reason: Q.850` header names, None for a number without a name."""
    return _CAUSE_OF_Q850.get(number)


def phrase_of(code: int) -> str:
    """The reason phrase of a SIP answer (RFC 3261, section 21; that of 481 is FreeSWITCH's)."""
    if code in _PHRASES:
        return _PHRASES[code]
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "Failure"
