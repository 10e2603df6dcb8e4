/*
 * tests/rules/script.c - one conversation; see script.h.
 */
#include "rules/script.h"

#include <stdlib.h>
#include <string.h>

#include "rules/deflate.h"

struct chunk {
	struct chunk *next;
	unsigned char bytes[];
};

void script_init(struct script *s, bool masking, const struct agreed *agreed)
{
	*s = (struct script){ .masking = masking, .agreed = agreed, .key = 0x9b3c07e1 };
}

void script_finish(struct script *s)
{
	if (s->ending == STAYS_OPEN)
		send_close(s, 1000, "");
}

void script_free(struct script *s)
{
	struct chunk *next;

	for (struct chunk *c = s->scratch; c; c = next) {
		next = c->next;
		free(c);
	}
	squeezer_free(s->squeezer);
	free(s->answers);
	octets_free(&s->sent);
	octets_free(&s->payloads);
}

/* --- sending ---------------------------------------------------------------- */

void send_octets(struct script *s, const void *p, size_t n)
{
	octets_add(&s->sent, p, n);
}

static void put_length(struct octets *o, unsigned mask, uint64_t n, unsigned width)
{
	if (width == 0)
		width = n > 65535 ? 8 : n > 125 ? 2 : 0;
	*octets_room(o, 1) = (unsigned char)(mask | (width == 8      ? 127
	                                                : width == 2 ? 126
	                                                             : (unsigned)n));
	while (width-- > 0)
		*octets_room(o, 1) = (unsigned char)(n >> 8 * width);
}

static void next_key(struct script *s, unsigned char key[4])
{
	for (unsigned i = 0; i < 4; i++)
		key[i] = (unsigned char)(s->key >> 8 * i);
	s->key = s->key * 1664525 + 1013904223;
}

static void put_masked(
    struct octets *o, const unsigned char *p, size_t n, const unsigned char key[4])
{
	octets_add(o, key, 4);
	octets_mask(octets_room(o, n), p, n, key);
}

void send_odd_frame(
    struct script *s, unsigned first, const void *p, size_t n, const struct oddity *odd)
{
	bool masked = s->masking != odd->wrongly_masks;
	unsigned char key[4];

	*octets_room(&s->sent, 1) = (unsigned char)first;
	put_length(&s->sent, masked ? 0x80 : 0, odd->announces ? odd->length : n, odd->width);
	next_key(s, key);
	if (odd->has_key)
		memcpy(key, odd->key, sizeof(key));
	if (masked)
		put_masked(&s->sent, p, n, key);
	else
		octets_add(&s->sent, p, n);
}

void send_frame(struct script *s, unsigned first, const void *p, size_t n)
{
	send_odd_frame(s, first, p, n, &(struct oddity){ 0 });
}

void send_text(struct script *s, const char *text)
{
	send_frame(s, FIN | TEXT, text, strlen(text));
}

void send_close(struct script *s, unsigned code, const char *reason)
{
	size_t n = strlen(reason);
	unsigned char *payload = script_room(s, 2 + n);

	payload[0] = (unsigned char)(code >> 8);
	payload[1] = (unsigned char)code;
	memcpy(payload + 2, reason, n);
	send_frame(s, FIN | CLOSE, payload, code == NO_STATUS ? 0 : 2 + n);
}

void send_in_fragments(struct script *s, unsigned opcode, const void *p, size_t n, size_t each)
{
	const unsigned char *from = p;
	size_t at = 0;

	for (; n - at > each; at += each)
		send_frame(s, at == 0 ? opcode : CONTINUATION, from + at, each);
	send_frame(s, FIN | (at == 0 ? opcode : CONTINUATION), from + at, n - at);
}

/* Each end compresses by its own half of the agreement. */
static struct squeezer *squeezer_of(struct script *s)
{
	const struct agreed *a = s->agreed;

	if (!a)
		abort();
	if (!s->squeezer)
		s->squeezer = s->masking
		                  ? squeezer_new(a->client_bits, a->client_no_context_takeover)
		                  : squeezer_new(a->server_bits, a->server_no_context_takeover);
	return s->squeezer;
}

struct octets script_squeeze(struct script *s, const void *p, size_t n, const struct style *style)
{
	struct octets squeezed = { 0 };
	unsigned char *kept;

	squeeze(squeezer_of(s), &squeezed, p, n, style);
	kept = script_room(s, squeezed.n);
	memcpy(kept, squeezed.p, squeezed.n);
	n = squeezed.n;
	octets_free(&squeezed);
	return (struct octets){ kept, n, n };
}

void send_compressed(
    struct script *s, unsigned first, const void *p, size_t n, const struct style *style)
{
	struct octets squeezed = script_squeeze(s, p, n, style);

	send_frame(s, RSV1 | first, squeezed.p, squeezed.n);
}

/* --- expecting -------------------------------------------------------------- */

static void expect(struct script *s, unsigned opcode, const void *p, size_t n)
{
	if (s->count == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 16;
		s->answers = realloc(s->answers, s->capacity * sizeof(*s->answers));
		if (!s->answers)
			abort();
	}
	s->answers[s->count++] = (struct answer){ opcode, s->payloads.n, n };
	octets_add(&s->payloads, p, n);
}

void expect_message(struct script *s, unsigned opcode, const void *p, size_t n)
{
	expect(s, opcode, p, n);
}

void expect_text(struct script *s, const char *text)
{
	expect(s, TEXT, text, strlen(text));
}

void expect_pong(struct script *s, const void *p, size_t n)
{
	expect(s, PONG, p, n);
}

void expect_close(struct script *s, unsigned code)
{
	s->ending = CLOSES;
	s->codes[0] = code;
}

void expect_failure(struct script *s, unsigned code)
{
	s->ending = FAILS;
	s->codes[0] = code;
}

void expect_or_code(struct script *s, unsigned code)
{
	size_t i = 0;

	while (s->codes[i])
		i++;
	if (i + 1 == CODES_MAX)
		abort();
	s->codes[i] = code;
}

void expect_maybe_failure(struct script *s, unsigned code)
{
	s->may_fail = true;
	s->codes[0] = code;
}

void expect_break(struct script *s)
{
	s->ending = BREAKS;
}

void echo(struct script *s, unsigned opcode, const void *p, size_t n)
{
	send_frame(s, FIN | opcode, p, n);
	expect_message(s, opcode, p, n);
}

void echo_text(struct script *s, const char *text)
{
	echo(s, TEXT, text, strlen(text));
}

void echo_compressed(
    struct script *s, unsigned opcode, const void *p, size_t n, const struct style *style)
{
	send_compressed(s, FIN | opcode, p, n, style);
	expect_message(s, opcode, p, n);
}

/* --- payloads ---------------------------------------------------------------- */

void *script_room(struct script *s, size_t n)
{
	struct chunk *c = malloc(sizeof(*c) + n);

	if (!c)
		abort();
	c->next = s->scratch;
	s->scratch = c;
	return c->bytes;
}

unsigned char *script_text(struct script *s, size_t n)
{
	static const char unit[] = "{\"n\":1,\"gr\u00fc\u00dfe\":\"\u20ac 5\",\"\U0001f600\":[]} ";
	unsigned char *text = script_room(s, n);
	size_t each = sizeof(unit) - 1, at = 0;

	for (; n - at >= each; at += each)
		memcpy(text + at, unit, each);
	memset(text + at, '.', n - at);
	return text;
}

unsigned char *script_noise(struct script *s, size_t n)
{
	unsigned char *noise = script_room(s, n + sizeof(uint64_t));
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < n; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(noise + i, &x, sizeof(x));
	}
	return noise;
}
