/*
 * upstream/upstream_report.h - what a backend is told of the messages that it has sent to a client
 * that is gone (option upstream.report_delivery): in the reason of the Close, as JSON.
 *
 *	{"accepted":12,"sent":10,"acknowledged":8,"confirmed":7,"reason":"Going home"}
 *
 * Every library of WebSocket hands that over with the code, and no client can forge it, as it could a
 * message. The client's own reason stands last, cut if there is no room for all of it.
 */
#ifndef UPSTREAM_UPSTREAM_REPORT_H
#define UPSTREAM_UPSTREAM_REPORT_H

#include "sockjs.h"
#include "ws/ws_conn.h"

/* The reason of the Close, in `out`; inside the close callback of the session. `reason` is the
 * client's. */
const char *upstream_report(
    const struct sockjs_session *s, const char *reason, char out[WS_REASON_MAX + 1]);

#endif
