/*
 * tests/fuzz/fuzz_sockjs_frame.c - any octets as messages of a frame, and the
 * frame in each of its wrappings.
 *
 * The input is split at every octet of zero. Everything is written into blocks of the measured
 * size. What comes out must be readable: by our decoder, and by the reverse of each wrapping.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/sockjs_frame.h"
#include "session/sockjs_payload.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MESSAGES_MAX 32

static size_t split(struct message **messages, const char *p, size_t n)
{
	size_t count = 0;

	while (count < MESSAGES_MAX - 1) {
		const char *zero = memchr(p, '\0', n);

		if (!zero)
			break;
		messages[count++] = message_new(p, (size_t)(zero - p), false, false);
		n -= (size_t)(zero + 1 - p);
		p = zero + 1;
	}
	messages[count++] = message_new(p, n, false, false);
	return count;
}

/* A frame may hold no control characters, and no octets that are not UTF-8 (the decoder sees to
 * that). Its messages make the same frame again: quoting repairs, and what it once repaired stays
 * as it is. */
static void require_readable(const char *frame, size_t n, size_t count)
{
	struct sockjs_payload p;
	char *copy = malloc(n), *again = malloc(n), *to = again;

	for (size_t i = 0; i < n; i++)
		must((unsigned char)frame[i] >= 0x20);
	memcpy(copy, frame, n);
	sockjs_payload_init(&p);
	must(sockjs_payload_decode(&p, copy + 1, n - 1, false, 0, 0) == SOCKJS_PAYLOAD_OK);
	must(p.count == count);
	*to++ = 'a';
	for (size_t i = 0; i < count; i++) {
		*to++ = i ? ',' : '[';
		must(sockjs_frame_quote_len(p.messages[i].p, p.messages[i].n) <
		     (size_t)(again + n - to));
		to = sockjs_frame_quote(to, p.messages[i].p, p.messages[i].n);
	}
	*to++ = ']';
	must(to == again + n && memcmp(frame, again, n) == 0);
	sockjs_payload_fini(&p);
	free(again);
	free(copy);
}

/* The string of a script or a jsonp answer is the frame. */
static void require_string(char *string, size_t n, const char *frame, size_t frame_len)
{
	struct sockjs_payload p;

	sockjs_payload_init(&p);
	must(sockjs_payload_decode(&p, string, n, true, 0, 0) == SOCKJS_PAYLOAD_OK);
	must(p.count == 1);
	must(bytes_equal(p.messages[0], (struct bytes){ frame, frame_len }));
	sockjs_payload_fini(&p);
}

static void check_script(const char *frame, size_t n)
{
	static const char head[] = "<script>\np(", tail[] = ");\n</script>\r\n";
	size_t len = sockjs_frame_script_len(frame, n), string_len;
	char *out = malloc(len), *string;

	must(len <= sockjs_frame_script_max(n));
	must(sockjs_frame_script(out, frame, n) == out + len);
	string = out + sizeof(head) - 1;
	string_len = len - (sizeof(head) - 1) - (sizeof(tail) - 1);
	must(memchr(string, '<', string_len) == NULL);
	require_string(string, string_len, frame, n);
	free(out);
}

static void check_jsonp(const char *frame, size_t n)
{
	static const char head[] = "/**/f(", tail[] = ");\r\n";
	size_t len = sockjs_frame_jsonp_len(1, frame, n);
	char *out = malloc(len);

	must(len <= sockjs_frame_jsonp_max(1, n));
	must(sockjs_frame_jsonp(out, "f", 1, frame, n) == out + len);
	require_string(
	    out + sizeof(head) - 1, len - (sizeof(head) - 1) - (sizeof(tail) - 1), frame, n);
	free(out);
}

static void check_event(const char *frame, size_t n)
{
	size_t len = sockjs_frame_event_len(frame, n), at = sizeof("data: ") - 1;
	char *out = malloc(len);

	must(len <= sockjs_frame_event_max(n));
	must(sockjs_frame_event(out, frame, n) == out + len);
	for (size_t i = 0; i < n; i++) {
		must(out[at] == frame[i]); /* our frames have nothing else to escape */
		if (out[at] == '%') {
			must(memcmp(out + at, "%25", 3) == 0);
			at += 2;
		}
		at++;
	}
	must(len - at == 4 && memcmp(out + at, "\r\n\r\n", 4) == 0);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct message *messages[MESSAGES_MAX];
	size_t count = split(messages, (const char *)data, n);
	size_t len = sockjs_frame_array_len(messages, count);
	char *frame = malloc(len);

	must(len <= sockjs_frame_array_max(messages, count));
	must(sockjs_frame_array(frame, messages, count) == frame + len);
	require_readable(frame, len, count);
	check_script(frame, len);
	check_jsonp(frame, len);
	check_event(frame, len);
	for (size_t i = 0; i < count; i++)
		message_unref(messages[i]);
	free(frame);
	return 0;
}
