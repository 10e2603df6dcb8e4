/*
 * upstream/upstream_introduce.h - what a backend is told of a client: who and where it is, and
 * those of its headers that are to be passed on.
 */
#ifndef UPSTREAM_UPSTREAM_INTRODUCE_H
#define UPSTREAM_UPSTREAM_INTRODUCE_H

#include "server/options.h"
#include "sockjs.h"
#include "upstream/upstream_request.h"

/* NULL when memory is out. */
struct upstream_request *upstream_introduce(
    const struct upstream_options *o, const struct sockjs_handshake *h);
/* Whether no subprotocol stands twice: that is the client's fault, and no backend needs to hear of
 * it. */
bool upstream_offers_well(const struct sockjs_handshake *h);

#endif
