/*
 * bench/load/session.c - a session, the contents of its messages, and the frames of SockJS.
 */
#include <string.h>

#include "load/fail.h"
#include "load/message.h"
#include "load/transport.h"

/* --- its life ----------------------------------------------------------------------- */

/* Eight characters, as sockjs-client would draw them, and different for each life. */
static void name_session(struct session *s)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint64_t n = ((uint64_t)s->lives << 32 | s->number) * 0x9e3779b97f4a7c15;

	n ^= n >> 29;
	for (int i = 0; i < 8; i++, n >>= 5)
		s->id[i] = alphabet[n & 31];
}

void session_open(struct session *s)
{
	s->lives++;
	name_session(s);
	s->is_open = s->is_closing = s->is_busy = false;
	s->down_http = s->up_http = (struct http_reader){ 0 };
	s->transport->open(s);
}

void session_opened(struct session *s)
{
	if (s->is_open)
		fail("session %u: opened twice", s->number);
	s->is_open = true;
	if (s->lives == 1)
		s->load->opened++;
}

void session_closed(struct session *s)
{
	if (!s->is_closing)
		fail("session %u (%s): the server ended it after %llu messages", s->number,
		    s->transport->name, (unsigned long long)s->received);
	s->is_open = false;
	if (s->load->workload->closed)
		s->load->workload->closed(s);
}

void session_message(struct session *s, const char *data, size_t len)
{
	s->load->workload->message(s, data, len);
}

void session_turn(struct session *s)
{
	if (s->is_open && !s->is_closing && s->load->workload->turn)
		s->load->workload->turn(s);
}

/* --- writing ------------------------------------------------------------------------ */

char *put(char *out, const char *text)
{
	size_t n = strlen(text);

	memcpy(out, text, n);
	return out + n;
}

char *session_write_message(struct session *s, char *out)
{
	message_write(out, s->load->options.size, s->number, s->sent++);
	return out + s->load->options.size;
}

char *session_write_array(struct session *s, char *out, unsigned messages)
{
	*out++ = '[';
	while (messages-- > 0) {
		*out++ = '"';
		out = session_write_message(s, out);
		*out++ = '"';
		*out++ = ',';
	}
	out[-1] = ']';
	return out;
}

char *put_head(const struct session *s, char *out, const char *method, const char *url)
{
	out = put(out, method);
	*out++ = ' ';
	if (s->transport->is_sockjs) {
		out = put(out, s->load->options.prefix);
		out = put(out, "/000/");
		out = put(out, s->id);
	}
	out = put(out, url);
	out = put(out, " HTTP/1.1\r\n");
	return put(out, s->load->fields);
}

/* --- SockJS ------------------------------------------------------------------------- */

static void array_frame(struct session *s, const char *p, const char *end)
{
	const char *quote;

	while (p < end && (*p == '[' || *p == ',') && p[1] == '"') {
		quote = memchr(p + 2, '"', (size_t)(end - p - 2));
		if (!quote)
			break;
		session_message(s, p + 2, (size_t)(quote - p - 2));
		p = quote + 1;
	}
	if (p != end - 1 || *p != ']')
		fail("session %u: a frame with something else than strings", s->number);
}

void sockjs_frame(struct session *s, const char *frame, size_t len)
{
	if (len == 1 && frame[0] == 'o')
		session_opened(s);
	else if (len > 0 && frame[0] == 'a')
		array_frame(s, frame + 1, frame + len);
	else if (len > 0 && frame[0] == 'c' && !s->is_closing)
		fail("session %u: the server closed it: %.*s", s->number, (int)len, frame);
	else if (len == 0 || !strchr("hc", frame[0]))
		fail("session %u: no frame of SockJS: %.*s", s->number, (int)len, frame);
}
