/*
 * bench/load/transport.h - what the files of the transports share.
 */
#ifndef LOAD_TRANSPORT_H
#define LOAD_TRANSPORT_H

#include "load/load.h"

extern const struct transport transport_ws, transport_websocket;
extern const struct transport transport_xhr_streaming, transport_eventsource, transport_htmlfile;
extern const struct transport transport_xhr, transport_jsonp;
extern const struct transport transport_chunks, transport_post;
extern const struct transport transport_silent, transport_kept;
extern const struct transport transport_stomp, transport_nats;

/* One frame of SockJS: `o`, `h`, `a[...]` or `c[...]`. */
void sockjs_frame(struct session *s, const char *frame, size_t len);

/* Writes the next messages as a JSON array; returns its end. Counts them as sent. */
char *session_write_array(struct session *s, char *out, unsigned messages);
/* Writes the next message as it is; returns its end. */
char *session_write_message(struct session *s, char *out);

/* What transports over WebSocket are made of, see transport_ws.c. */
void ws_open(struct session *s);
void ws_send_messages(struct session *s, unsigned messages);
void ws_close(struct session *s);
/* One frame, its payload being composed WS_HEAD_MAX behind the beginning of `scratch`. */
void ws_send_payload(struct session *s, const char *end);

/* Copies a text, returns its end. */
char *put(char *out, const char *text);
/* The beginning of a request, up to and with the fields that all of them have. */
char *put_head(const struct session *s, char *out, const char *method, const char *url);

#endif
