/*
 * session/sockjs_frame.h - the frames a SockJS server sends: o, h, a[...], c[...]
 * (SockJS protocol 0.3, "Framing accepted by the client"), and what the
 * transports wrap around them.
 *
 * Encoders write into space the caller has measured and return the end of
 * what they wrote. There are two measures of everything. *_max() is the worst
 * case and costs nothing, but is six times the text: for scratch space that
 * is used again and again. *_len() is exact and reads the text, about as fast
 * as encoding it: for what is kept or shared, for what is long, and where the
 * length has to go in front (a chunk, a WebSocket frame). *_add() append to a buffer and
 * choose by themselves.
 *
 * Strings are JSON with the escapes the protocol asks for: 0000-001f, 200c-200f,
 * 2028-202f, 2060-206f, d800-dfff (so a character beyond the BMP goes out as
 * an escaped pair), fff0-ffff, in lower-case hex; '"' and '\' by a backslash; \b
 * \t \n \f \r in the short form.
 */
#ifndef SESSION_SOCKJS_FRAME_H
#define SESSION_SOCKJS_FRAME_H

#include <stddef.h>

#include "base/buf.h"
#include "base/message.h"

#define SOCKJS_OPEN      "o"
#define SOCKJS_HEARTBEAT "h"

/* Worst case for one quoted string of n octets, quotes included. */
static inline size_t sockjs_frame_quote_max(size_t n)
{
	return 6 * n + 2;
}

/* A JSON string with its quotes. `text` is message text (see message.h); an octet that is not valid
 * UTF-8 there becomes U+FFFD rather than breaking the frame. */
size_t sockjs_frame_quote_len(const char *text, size_t n);
char *sockjs_frame_quote(char *out, const char *text, size_t n);

/* a["...","..."] */
size_t sockjs_frame_array_max(struct message *const *messages, size_t count);
size_t sockjs_frame_array_len(struct message *const *messages, size_t count);
char *sockjs_frame_array(char *out, struct message *const *messages, size_t count);
int sockjs_frame_array_add(struct buf *b, struct message *const *messages, size_t count);

/* c[3000,"Go away!"] */
size_t sockjs_frame_close_max(size_t reason_len);
char *sockjs_frame_close(char *out, unsigned code, const char *reason, size_t reason_len);

/* The wrappings of one frame (any of the above), as each transport needs them. A frame is already
 * quoted, so what lies beyond ASCII in it passes unchanged. */

/* Server-sent events: "data: <frame>\r\n\r\n" with % as %25, CR, LF and NUL escaped likewise
 * (sockjs-client decodes with decodeURI). */
size_t sockjs_frame_event_max(size_t frame_len);
size_t sockjs_frame_event_len(const char *frame, size_t n);
char *sockjs_frame_event(char *out, const char *frame, size_t n);
int sockjs_frame_event_add(struct buf *b, const char *frame, size_t n);

/* htmlfile: "<script>\np(<json string>);\n</script>\r\n"; '<' goes out as \u003c, so that no
 * message ends the script or opens a comment. */
size_t sockjs_frame_script_max(size_t frame_len);
size_t sockjs_frame_script_len(const char *frame, size_t n);
char *sockjs_frame_script(char *out, const char *frame, size_t n);
int sockjs_frame_script_add(struct buf *b, const char *frame, size_t n);

/* jsonp: slash-star-star-slash callback(<json string>);\r\n. The callback has been checked. */
size_t sockjs_frame_jsonp_max(size_t callback_len, size_t frame_len);
size_t sockjs_frame_jsonp_len(size_t callback_len, const char *frame, size_t n);
char *sockjs_frame_jsonp(
    char *out, const char *callback, size_t callback_len, const char *frame, size_t n);
int sockjs_frame_jsonp_add(
    struct buf *b, const char *callback, size_t callback_len, const char *frame, size_t n);

#endif
