/*
 * tests/fuzz/fuzz_sockjs_payload.c - whatever a client may post, judged by
 * jansson and by our own encoder.
 *
 * The first octet chooses whether a string alone is allowed, and limits. The text stands
 * in a block of its exact size, so that ASan sees reads and writes beyond it.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/sockjs_frame.h"
#include "session/sockjs_payload.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct flags {
	bool allow_string;
	size_t max_bytes, max_messages;
};

static enum sockjs_payload_status decode(
    struct sockjs_payload *p, char *text, size_t n, const struct flags *f)
{
	return sockjs_payload_decode(p, text, n, f->allow_string, f->max_bytes, f->max_messages);
}

static bool has_surrogates(struct bytes m)
{
	for (size_t i = 0; i + 1 < m.n; i++)
		if ((unsigned char)m.p[i] == 0xed && (unsigned char)m.p[i + 1] >= 0xa0)
			return true;
	return false;
}

static bool any_surrogates(const struct sockjs_payload *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (has_surrogates(p->messages[i]))
			return true;
	return false;
}

static void require_same(const struct sockjs_payload *p, size_t i, const json_t *s)
{
	must(json_is_string(s));
	must(bytes_equal(
	    p->messages[i], (struct bytes){ json_string_value(s), json_string_length(s) }));
}

/* What jansson reads we read alike, and what it refuses we do, but for lone surrogates (and, in
 * values that are refused anyhow, huge numbers and the like). */
static void compare(const struct sockjs_payload *p, enum sockjs_payload_status status, json_t *root,
    bool allow_string)
{
	if (status == SOCKJS_PAYLOAD_OK && !root) {
		must(any_surrogates(p));
	} else if (status == SOCKJS_PAYLOAD_OK && json_is_string(root)) {
		must(allow_string && p->count == 1);
		require_same(p, 0, root);
	} else if (status == SOCKJS_PAYLOAD_OK) {
		must(json_array_size(root) == p->count);
		for (size_t i = 0; i < p->count; i++)
			require_same(p, i, json_array_get(root, i));
	} else if (status == SOCKJS_PAYLOAD_NOT_ARRAY) {
		must(!json_is_array(root) && !(allow_string && json_is_string(root)));
	} else if (status == SOCKJS_PAYLOAD_NOT_STRING) {
		must(!root || json_is_array(root));
	} else if (status == SOCKJS_PAYLOAD_BROKEN && root) {
		must(json_is_array(root) || json_is_object(root)); /* too deep for us */
	}
}

/* Each message, quoted and decoded again, is itself. */
static void require_round_trip(struct bytes m)
{
	size_t len = sockjs_frame_quote_len(m.p, m.n);
	char *text = malloc(len);
	struct sockjs_payload p;

	must(len <= sockjs_frame_quote_max(m.n));
	must(sockjs_frame_quote(text, m.p, m.n) == text + len);
	sockjs_payload_init(&p);
	must(sockjs_payload_decode(&p, text, len, true, 0, 1) == SOCKJS_PAYLOAD_OK);
	must(p.count == 1 && bytes_equal(p.messages[0], m));
	sockjs_payload_fini(&p);
	free(text);
}

/* Limits only turn a success into TOO_BIG, never anything else into one. */
static void require_limits(
    const struct sockjs_payload *p, enum sockjs_payload_status status, const struct flags *f)
{
	if (status != SOCKJS_PAYLOAD_OK)
		must(p->count == 0);
	must(!f->max_messages || p->count <= f->max_messages);
	for (size_t i = 0; i < p->count; i++)
		must(!f->max_bytes || p->messages[i].n <= f->max_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct flags free_flags = { 0 }, limited;
	struct sockjs_payload p;
	enum sockjs_payload_status status;
	json_t *root;
	char *text;

	if (n == 0)
		return 0;
	free_flags.allow_string = *data & 1;
	limited = (struct flags){ *data & 1, *data >> 1 & 7, *data >> 4 };
	data++;
	n--;
	text = malloc(n ? n : 1);
	sockjs_payload_init(&p);

	memcpy(text, data, n);
	status = decode(&p, text, n, &limited);
	require_limits(&p, status, &limited);

	memcpy(text, data, n);
	status = decode(&p, text, n, &free_flags);
	require_limits(&p, status, &free_flags);
	must(status != SOCKJS_PAYLOAD_TOO_BIG && status != SOCKJS_PAYLOAD_NO_MEMORY);
	root = json_loadb((const char *)data, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	if (!memchr(data, '\0', n)) /* which ends the text for jansson; for us it breaks it */
		compare(&p, status, root, free_flags.allow_string);
	else
		must(status == SOCKJS_PAYLOAD_BROKEN);
	for (size_t i = 0; i < p.count; i++)
		require_round_trip(p.messages[i]);

	json_decref(root);
	sockjs_payload_fini(&p);
	free(text);
	return 0;
}
