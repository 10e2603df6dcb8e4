/*
 * tests/rules/compression.c - RFC 7692 sections 6 and 7.2: messages compressed in every
 * way that is allowed, and in some that are not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "rules/deflate.h"
#include "rules/rule.h"
#include "rules/text.h"

#define PMD "permessage-deflate"

static const struct fitting accepted = { .answer = ACCEPTED, .client_bits = 15 };
static const struct fitting accepted_forgetting = {
	.answer = ACCEPTED, .server_forgets = true, .client_bits = 15
};
static const struct style plainly = { 0 };

/* Each rule here has agreed on the extension. */
static struct rule *agree(struct rule *r)
{
	r->offer = PMD "; client_max_window_bits";
	r->answer = PMD;
	r->fitting = &accepted;
	return r;
}

/* The same where no message may refer to another, whoever sends it. */
static struct rule *agree_forgetting(struct rule *r)
{
	r->offer = PMD "; server_no_context_takeover; client_no_context_takeover; "
	               "client_max_window_bits";
	r->answer = PMD "; server_no_context_takeover; client_no_context_takeover";
	r->fitting = &accepted_forgetting;
	return r;
}

/* --- the examples of section 7.2.3 --------------------------------------------------- */

struct example {
	const char *name;
	const char *octets;
	size_t n;
	const char *means;
};

#define OCTETS(literal) literal, sizeof(literal) - 1

static const struct example examples[] = {
	{ "7692 7.2.3.1 one block", OCTETS("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello" },
	{ "7692 7.2.3.3 a block that is stored",
	    OCTETS("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello" },
	{ "7692 7.2.3.4 a block with BFINAL", OCTETS("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello" },
	{ "7692 7.2.3.5 two blocks", OCTETS("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
	    "Hello" },
	{ "7692 7.2.3.6 an empty message", OCTETS("\x00"), "" },
	{ "7692 7.2.1 an empty block by fixed codes", OCTETS("\x02\x00"), "" },
	{ "7692 7.2.1 empty blocks before and behind",
	    OCTETS("\x00\x00\x00\xff\xff\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x00"),
	    "Hello" },
	{ "7692 7.2.1 two blocks with BFINAL", OCTETS("\xf3\x48\x05\x00\xcb\xc9\xc9\x07\x00\x00"),
	    "Hello" },
	{ "7692 7.2.1 BFINAL before a block without it",
	    OCTETS("\xf3\x48\x05\x00\xca\xc9\xc9\x07\x00"), "Hello" },
	{ "7692 7.2.1 reference to before a block with BFINAL",
	    OCTETS("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"), "HelloHello" },
	{ "7692 7.2.1 a stored block with BFINAL",
	    OCTETS("\x01\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello" },
};

/* Once and again, cut by fragments in every place. */
static void play_example(struct script *s, const struct rule *r)
{
	const struct example *e = r->data;

	send_frame(s, FIN | RSV1 | TEXT, e->octets, e->n);
	expect_text(s, e->means);
	for (size_t cut = 0; cut <= e->n; cut++) {
		send_frame(s, RSV1 | TEXT, e->octets, cut);
		send_frame(s, FIN | CONTINUATION, e->octets + cut, e->n - cut);
		expect_text(s, e->means);
	}
	send_in_fragments(s, RSV1 | BINARY, e->octets, e->n, 1);
	expect_message(s, BINARY, e->means, strlen(e->means));
}

/* The second message says only: the same again; A: the first ends with BFINAL. Where messages must
 * not refer to another it means nothing. */
static void play_reference(struct script *s, const struct rule *r)
{
	bool forgets = s->masking ? s->agreed->client_no_context_takeover
	                          : s->agreed->server_no_context_takeover;

	if (r->a)
		send_frame(s, FIN | RSV1 | TEXT, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);
	else
		send_frame(s, FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
	expect_text(s, "Hello");
	send_frame(s, FIN | RSV1 | TEXT, "\xf2\x00\x11\x00\x00", 5);
	if (forgets) {
		expect_failure(s, 1007);
		expect_or_code(s, 1002);
	} else {
		expect_text(s, "Hello");
	}
}

static void add_examples(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		agree(rule_add(c, play_example, "%s", examples[i].name))->data = &examples[i];
		agree_forgetting(
		    rule_add(c, play_example, "%s, without takeover", examples[i].name))
		    ->data = &examples[i];
	}
	agree(rule_add(c, play_reference, "7692 7.2.3.2 reference to the message before"));
	agree(rule_add(c, play_reference,
	          "7692 7.2.3.2 reference to the message before that ends with BFINAL"))
	    ->a = 1;
	agree_forgetting(rule_add(
	    c, play_reference, "7692 7.1.1.2 reference to the message before that is forgotten"));
}

/* --- every style of compressing ----------------------------------------------------------- */

static const struct {
	const char *name;
	struct style style;
} styles[] = {
	{ "one block", { 0 } },
	{ "stored", { .stores = true } },
	{ "fixed codes", { .strategy = Z_FIXED } },
	{ "no references", { .strategy = Z_HUFFMAN_ONLY } },
	{ "runs only", { .strategy = Z_RLE } },
	{ "blocks of 100 octets, flushed", { .block = 100 } },
	{ "blocks of 100 octets, joined", { .block = 100, .blocks = BLOCKS_JOINED } },
	{ "blocks of 100 octets that forget", { .block = 100, .blocks = BLOCKS_FORGET } },
	{ "blocks of 100 octets with BFINAL", { .block = 100, .blocks = BLOCKS_FINAL } },
	{ "one block with BFINAL", { .blocks = BLOCKS_FINAL } },
	{ "stored blocks of 100 octets", { .stores = true, .block = 100 } },
	{ "blocks of an octet", { .block = 1, .strategy = Z_FIXED } },
};

static void play_style(struct script *s, const struct rule *r)
{
	const struct style *style = r->data;
	size_t n = (size_t)r->a;

	if (style->block == 1 && n > 5000)
		n = 5000;
	echo_compressed(s, TEXT, script_text(s, n), n, style);
	echo_compressed(s, BINARY, script_noise(s, n), n, style);
	echo_text(s, "not compressed");
	echo_compressed(s, TEXT, script_text(s, n), n, style);
	echo_compressed(s, TEXT, script_text(s, n), n, &plainly);
}

static void add_styles(struct catalogue *c)
{
	static const long sizes[] = { 0, 1, 99, 100, 101, 1000, 32768, 70000 };

	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct rule *r = agree(rule_add(
			    c, play_style, "7692 7.2.1 %s: %ld octets", styles[i].name, sizes[k]));

			r->data = &styles[i].style;
			r->a = sizes[k];
			r = agree_forgetting(
			    rule_add(c, play_style, "7692 7.2.1 %s: %ld octets, without takeover",
			        styles[i].name, sizes[k]));
			r->data = &styles[i].style;
			r->a = sizes[k];
		}
}

/* --- parameters and sizes -------------------------------------------------------------------- */

static const struct agreement {
	const char *name, *offer, *answer;
	struct fitting fitting;
} agreements[] = {
	{ "no parameters", PMD, PMD, { .answer = ACCEPTED } },
	{ "client_max_window_bits", PMD "; client_max_window_bits", PMD,
	    { .answer = ACCEPTED, .client_bits = 15 } },
	{ "server_no_context_takeover", PMD "; server_no_context_takeover",
	    PMD "; server_no_context_takeover", { .answer = ACCEPTED, .server_forgets = true } },
	{ "client_no_context_takeover", PMD "; client_no_context_takeover",
	    PMD "; client_no_context_takeover", { .answer = ACCEPTED } },
	{ "no takeover", PMD "; server_no_context_takeover; client_no_context_takeover",
	    PMD "; server_no_context_takeover; client_no_context_takeover",
	    { .answer = ACCEPTED, .server_forgets = true } },
	{ "server window 8", PMD "; server_max_window_bits=8", PMD "; server_max_window_bits=8",
	    { .answer = ACCEPTED_OR_NOT, .server_bits = 8 } },
	{ "server window 9", PMD "; server_max_window_bits=9", PMD "; server_max_window_bits=9",
	    { .answer = ACCEPTED, .server_bits = 9 } },
	{ "server window 10", PMD "; server_max_window_bits=10", PMD "; server_max_window_bits=10",
	    { .answer = ACCEPTED, .server_bits = 10 } },
	{ "server window 12", PMD "; server_max_window_bits=12", PMD "; server_max_window_bits=12",
	    { .answer = ACCEPTED, .server_bits = 12 } },
	{ "server window 15", PMD "; server_max_window_bits=15", PMD "; server_max_window_bits=15",
	    { .answer = ACCEPTED, .server_bits = 15 } },
	{ "client window 8", PMD "; client_max_window_bits=8", PMD "; client_max_window_bits=8",
	    { .answer = ACCEPTED, .client_bits = 8 } },
	{ "client window 9", PMD "; client_max_window_bits=9", PMD "; client_max_window_bits=9",
	    { .answer = ACCEPTED, .client_bits = 9 } },
	{ "client window 11", PMD "; client_max_window_bits=11", PMD "; client_max_window_bits=11",
	    { .answer = ACCEPTED, .client_bits = 11 } },
	{ "client window 15", PMD "; client_max_window_bits=15", PMD "; client_max_window_bits=15",
	    { .answer = ACCEPTED, .client_bits = 15 } },
	{ "windows 9 without takeover",
	    PMD "; server_no_context_takeover; client_no_context_takeover; "
	        "server_max_window_bits=9; client_max_window_bits=9",
	    PMD "; server_no_context_takeover; client_no_context_takeover; "
	        "server_max_window_bits=9; client_max_window_bits=9",
	    { .answer = ACCEPTED, .server_forgets = true, .server_bits = 9, .client_bits = 9 } },
	{ "windows 10 and 13", PMD "; server_max_window_bits=10; client_max_window_bits=13",
	    PMD "; server_max_window_bits=10; client_max_window_bits=13",
	    { .answer = ACCEPTED, .server_bits = 10, .client_bits = 13 } },
};

static struct rule *agree_on(struct rule *r, const struct agreement *a)
{
	r->offer = a->offer;
	r->answer = a->answer;
	r->fitting = &a->fitting;
	return r;
}

/* Words in an order that does not repeat: shrinks, and differently by window. */
static unsigned char *words(struct script *s, size_t n)
{
	static const char *const some[] = { "{\"price\":", "\"name\":\"", "null,", "[true,", "1024",
		"\",\"", "gr\u00fcn ", "0.5},", "\"list\":[", "]}, " };
	unsigned char *text = script_room(s, n), *noise = script_noise(s, n);
	size_t at = 0;

	for (size_t i = 0; at < n; i++) {
		const char *word = some[noise[i] % 10];
		size_t len = strlen(word);

		if (len > n - at)
			break;
		memcpy(text + at, word, len);
		at += len;
	}
	memset(text + at, '.', n - at);
	return text;
}

/* Not as long as words, and never the same: a later message may refer to an earlier one. */
static void play_sizes(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;
	int count = n > 20000 ? 2 : 12;

	for (int i = 0; i < count; i++) {
		unsigned char *text = r->b ? script_noise(s, n) : words(s, n);

		if (i % 4 != 3)
			text[(size_t)i * n / 16] = 'i';
		if (r->b || octets_are_utf8(text, n))
			echo_compressed(s, r->b ? BINARY : TEXT, text, n, &plainly);
		if (i % 5 == 4)
			echo(s, BINARY, text, n);
	}
}

static void play_sizes_in_fragments(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;

	for (int i = 0; i < (n > 20000 ? 2 : 6); i++) {
		const unsigned char *text = words(s, n);
		struct octets squeezed = script_squeeze(s, text, n, &plainly);

		send_in_fragments(s, RSV1 | TEXT, squeezed.p, squeezed.n, 1 + squeezed.n / 7);
		expect_message(s, TEXT, text, n);
		send_frame(s, FIN | PING, "between", 7);
		expect_pong(s, "between", 7);
	}
}

static void add_matrix(struct catalogue *c)
{
	static const long sizes[] = { 16, 64, 256, 1024, 4096, 16384, 65536, 131072 };
	static const char *const types[] = { "text", "binary" };

	for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct rule *r;

			for (long type = 0; type < 2; type++) {
				r = agree_on(
				    rule_add(c, play_sizes, "7692 7.1 %s: %s of %ld octets",
				        agreements[i].name, types[type], sizes[k]),
				    &agreements[i]);
				r->a = sizes[k];
				r->b = type;
			}
			r = agree_on(rule_add(c, play_sizes_in_fragments,
			                 "7692 7.1 %s: text of %ld octets in fragments",
			                 agreements[i].name, sizes[k]),
			    &agreements[i]);
			r->a = sizes[k];
		}
}

/* --- context ---------------------------------------------------------------------------------- */

/* The same noise again: it shrinks by reference alone, as far back as the window reaches. */
static void play_far_reference(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;
	const unsigned char *noise = script_noise(s, n);

	for (int i = 0; i < 4; i++)
		echo_compressed(s, BINARY, noise, n, &plainly);
}

/* What is not compressed, and what is no message, stands outside the window (section 7.2.1). */
static void play_context_beside(struct script *s, const struct rule *r)
{
	const unsigned char *noise = script_noise(s, 3000);

	(void)r;
	for (int i = 0; i < 5; i++) {
		echo_compressed(s, BINARY, noise, 3000, &plainly);
		echo(s, BINARY, noise + 1000, 2000);
		send_frame(s, FIN | PING, "beside", 6);
		expect_pong(s, "beside", 6);
		echo_compressed(s, BINARY, "", 0, &plainly);
		echo_text(s, "");
	}
}

static void play_many_messages(struct script *s, const struct rule *r)
{
	char text[64];

	(void)r;
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"number\":%d,\"of\":\"a thousand\"}", i);
		echo_compressed(s, TEXT, text, strlen(text), &plainly);
	}
}

/* What is longer than the window that was agreed on is compressed with it nevertheless; who
 * kept a larger one may take references beyond it, but must not mistake them. */
static void play_beyond_window(struct script *s, const struct rule *r)
{
	const unsigned char *noise = script_noise(s, 4000);
	unsigned char *twice = script_room(s, 8000);
	struct squeezer *large = squeezer_new(15, true);
	struct octets squeezed = { 0 };

	(void)r;
	memcpy(twice, noise, 4000);
	memcpy(twice + 4000, noise, 4000);
	squeeze(large, &squeezed, twice, 8000, &plainly);
	squeezer_free(large);
	send_frame(s, FIN | RSV1 | BINARY, squeezed.p, squeezed.n);
	octets_free(&squeezed);
	expect_message(s, BINARY, twice, 8000);
	expect_maybe_failure(s, 1007);
	expect_or_code(s, 1002);
}

static void add_contexts(struct catalogue *c)
{
	static const long sizes[] = { 100, 250, 1000, 8000, 16000, 32000, 32506, 32768, 40000 };
	struct rule *r;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		agree(rule_add(c, play_far_reference,
		          "7692 7.2.1 noise of %ld octets again and again", sizes[i]))
		    ->a = sizes[i];
		agree_forgetting(
		    rule_add(c, play_far_reference,
		        "7692 7.2.1 noise of %ld octets again and again, without takeover",
		        sizes[i]))
		    ->a = sizes[i];
	}
	agree(rule_add(
	    c, play_context_beside, "7692 7.2.1 context passes by what is not compressed"));
	agree_forgetting(rule_add(
	    c, play_context_beside, "7692 7.2.1 no context passes by what is not compressed"));
	agree(rule_add(c, play_many_messages, "7692 7.2.1 1000 messages in one context"));
	agree_forgetting(
	    rule_add(c, play_many_messages, "7692 7.2.1 1000 messages, each by itself"));
	for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
		if (!agreements[i].fitting.client_bits || agreements[i].fitting.client_bits > 11)
			continue;
		r = rule_add(c, play_beyond_window,
		    "7692 7.2.1 %s: reference beyond it is right or fails", agreements[i].name);
		agree_on(r, &agreements[i]);
	}
}

/* --- what is compressed, and what is not (section 6) ------------------------------ */

static void play_by_turns(struct script *s, const struct rule *r)
{
	const unsigned char *text = script_text(s, 2000);

	(void)r;
	for (int i = 0; i < 10; i++) {
		echo(s, TEXT, text, 2000);
		echo_compressed(s, TEXT, text, 2000, &plainly);
		send_in_fragments(s, TEXT, text, 2000, 333);
		expect_message(s, TEXT, text, 2000);
	}
}

/* A: octets of a fragment; pings stand between, and an empty fragment before and behind. */
static void play_fragments(struct script *s, const struct rule *r)
{
	const unsigned char *text = words(s, 3000);
	struct octets squeezed = script_squeeze(s, text, 3000, &plainly);
	size_t each = (size_t)r->a;

	send_frame(s, RSV1 | TEXT, "", 0);
	for (size_t at = 0; at < squeezed.n; at += each) {
		size_t n = squeezed.n - at < each ? squeezed.n - at : each;

		send_frame(s, CONTINUATION, squeezed.p + at, n);
		send_frame(s, FIN | PING, squeezed.p + at, n < 125 ? n : 125);
		expect_pong(s, squeezed.p + at, n < 125 ? n : 125);
	}
	send_frame(s, FIN | CONTINUATION, "", 0);
	expect_message(s, TEXT, text, 3000);
	echo_text(s, "behind");
}

static void play_too_many_fragments(struct script *s, const struct rule *r)
{
	struct octets squeezed = script_squeeze(s, script_noise(s, 5000), 5000, &plainly);

	(void)r;
	for (size_t i = 0; i < FRAGMENTS_MAX + 1; i++)
		send_frame(s, i ? CONTINUATION : RSV1 | BINARY, squeezed.p + i, 1);
	expect_failure(s, 1009);
}

struct misuse {
	const char *name;
	unsigned begin; /* first octet of a fragment before it; 0: none */
	unsigned first;
};

static const struct misuse misuses[] = {
	{ "RSV1 on ping", 0, FIN | RSV1 | PING },
	{ "RSV1 on pong", 0, FIN | RSV1 | PONG },
	{ "RSV1 on close", 0, FIN | RSV1 | CLOSE },
	{ "RSV2 on text", 0, FIN | RSV2 | TEXT },
	{ "RSV3 on text", 0, FIN | RSV3 | TEXT },
	{ "RSV1 and RSV2 on text", 0, FIN | RSV1 | RSV2 | TEXT },
	{ "RSV1 and RSV3 on text", 0, FIN | RSV1 | RSV3 | TEXT },
	{ "RSV2 and RSV3 on binary", 0, FIN | RSV2 | RSV3 | BINARY },
	{ "all reserved bits on binary", 0, FIN | RSV1 | RSV2 | RSV3 | BINARY },
	{ "RSV1 on the last fragment", TEXT, FIN | RSV1 | CONTINUATION },
	{ "RSV1 on a fragment in the middle", TEXT, RSV1 | CONTINUATION },
	{ "RSV1 on the last fragment of a compressed text", RSV1 | TEXT,
	    FIN | RSV1 | CONTINUATION },
	{ "RSV1 in the middle of a compressed text", RSV1 | TEXT, RSV1 | CONTINUATION },
	{ "RSV2 on the last fragment", RSV1 | TEXT, FIN | RSV2 | CONTINUATION },
	{ "RSV1 on ping within a compressed text", RSV1 | TEXT, FIN | RSV1 | PING },
	{ "RSV1 on a continuation without a message", 0, FIN | RSV1 | CONTINUATION },
	{ "RSV1 on reserved opcode 3", 0, FIN | RSV1 | 3 },
	{ "RSV1 on reserved opcode 11", 0, FIN | RSV1 | 11 },
	{ "a compressed text within a compressed text", RSV1 | TEXT, FIN | RSV1 | TEXT },
	{ "a text within a compressed text", RSV1 | TEXT, FIN | TEXT },
};

static void play_misuse(struct script *s, const struct rule *r)
{
	const struct misuse *m = r->data;

	echo_text(s, "before");
	if (m->begin)
		send_frame(s, m->begin, "\xf2\x48\xcd", m->begin & RSV1 ? 3 : 1 - 1);
	send_frame(s, m->first, "\xc9\xc9\x07\x00", 4);
	expect_failure(s, 1002);
}

static void play_control(struct script *s, const struct rule *r)
{
	(void)r;
	for (size_t n = 0; n <= 125; n += 25) {
		send_frame(s, FIN | PING, script_text(s, n), n);
		expect_pong(s, script_text(s, n), n);
	}
	send_frame(s, FIN | PONG, "unasked", 7);
	echo_compressed(s, TEXT, "behind", 6, &plainly);
	send_close(s, 3000, "a reason that is not compressed");
	expect_close(s, 3000);
}

static void play_shrinks(struct script *s, const struct rule *r)
{
	size_t n = 65536;

	(void)r;
	for (int i = 0; i < 3; i++)
		echo(s, TEXT, script_text(s, n), n);
	s->must_compress = true;
}

static void add_frames(struct catalogue *c)
{
	static const long each[] = { 1, 2, 3, 7, 100, 126, 65536 };

	agree(rule_add(c, play_by_turns, "7692 6 compressed and other messages by turns"));
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		agree(rule_add(c, play_fragments, "7692 6.1 fragments of %ld octets, pings between",
		          each[i]))
		    ->a = each[i];
	agree(rule_add(c, play_too_many_fragments,
	    "6455 10.4 1025 fragments of a compressed message fail with 1009"));
	for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++)
		agree(rule_add(c, play_misuse, "7692 6.1 %s fails with 1002", misuses[i].name))
		    ->data = &misuses[i];
	agree(rule_add(c, play_control, "7692 6 control frames are never compressed"));
	agree(rule_add(c, play_shrinks, "7692 6 texts of 64 KiB that shrink come back compressed"));
}

/* --- what does not inflate -------------------------------------------------------- */

static const struct example damages[] = {
	{ "a block of a reserved type", OCTETS("\x06"), NULL },
	{ "a block of a reserved type behind another",
	    OCTETS("\xf2\x48\x05\x00\x00\x00\xff\xff\x07"), NULL },
	{ "a stored block whose length is not confirmed",
	    OCTETS("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"), NULL },
	{ "a stored block that is cut", OCTETS("\x00\x05\x00\xfa\xff\x48\x65\x6c"), NULL },
	{ "a stored block's header that is cut", OCTETS("\x00\x05\x00"), NULL },
	{ "a reference to an octet before the beginning", OCTETS("\x4a\x04\x42\x00\x00"), NULL },
	{ "a reference far before the beginning", OCTETS("\x4a\x04\xde\xff\x0f\x00"), NULL },
	{ "a reference as the first code", OCTETS("\x02\x11\x00\x00"), NULL },
	{ "a reserved code for a length", OCTETS("\x4a\x1c\x03\x00\x00"), NULL },
	{ "a reserved code for a distance", OCTETS("\x4a\x04\x3e\x00\x00"), NULL },
	{ "too many codes for lengths", OCTETS("\xfc\x00\x00\x00\x00\x00\x00\x00\x00\x00"), NULL },
	{ "too many codes for distances", OCTETS("\x04\x1f\x00\x00\x00\x00\x00\x00\x00\x00"),
	    NULL },
	{ "codes that are not a tree", OCTETS("\x04\xe0\x93\x24\x49\x92\x24\x49\x92\x00\x00\x00"),
	    NULL },
	{ "a repetition of nothing", OCTETS("\x04\x00\x12\x00\x00\x00\x00\x00\x00\x00"), NULL },
	{ "no code for the end of a block",
	    OCTETS("\x04\xc0\x81\x00\x00\x00\x00\x00\x10\xfe\xab\x01\x00\x00\x00"), NULL },
	{ "octets ff", OCTETS("\xff\xff\xff\xff\xff\xff\xff\xff"), NULL },
	{ "text", OCTETS("never compressed"), NULL },
	{ "zlib's header before it", OCTETS("\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\x00"), NULL },
	{ "gzip's header before it",
	    OCTETS("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xf2\x48\xcd\xc9\xc9\x07\x00"), NULL },
	{ "a block that is cut in its codes", OCTETS("\xf2\x48\xcd"), NULL },
};

/* Section 7.2.2 says only that it fails the connection. */
static void play_damage(struct script *s, const struct rule *r)
{
	const struct example *e = r->data;

	echo_text(s, "before");
	send_frame(s, FIN | RSV1 | BINARY, e->octets, e->n);
	send_text(s, "never looked at");
	expect_failure(s, 1007);
	expect_or_code(s, 1002);
}

static void play_damage_in_fragments(struct script *s, const struct rule *r)
{
	const struct example *e = r->data;

	send_in_fragments(s, RSV1 | BINARY, e->octets, e->n, 1);
	send_text(s, "never looked at");
	expect_failure(s, 1007);
	expect_or_code(s, 1002);
}

/* A: octets that are left of "Hello" compressed. Whoever takes what was cut for a message must not
 * mistake the next one. */
static void play_cut(struct script *s, const struct rule *r)
{
	send_frame(s, FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", (size_t)r->a);
	send_frame(s, FIN | RSV1 | TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
	expect_failure(s, 1007);
	expect_or_code(s, 1002);
}

static void play_tail(struct script *s, const struct rule *r)
{
	struct style style = { .keeps_tail = true };

	(void)r;
	send_compressed(s, FIN | TEXT, "Hello", 5, &style);
	expect_text(s, "Hello");
	echo_compressed(s, TEXT, "Hello", 5, &plainly);
	expect_maybe_failure(s, 1007);
	expect_or_code(s, 1002);
}

/* Many inflaters take it for an empty message, although it is nothing at all. */
static void play_no_octet(struct script *s, const struct rule *r)
{
	(void)r;
	send_frame(s, FIN | RSV1 | TEXT, "", 0);
	expect_text(s, "");
	echo_compressed(s, TEXT, "Hello", 5, &plainly);
	expect_maybe_failure(s, 1007);
	expect_or_code(s, 1002);
}

static void add_damages(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		agree(rule_add(c, play_damage, "7692 7.2.2 %s fails", damages[i].name))->data =
		    &damages[i];
		agree_forgetting(rule_add(c, play_damage_in_fragments,
		                     "7692 7.2.2 %s in fragments fails", damages[i].name))
		    ->data = &damages[i];
	}
	for (long left = 1; left < 7; left++)
		agree(rule_add(c, play_cut,
		          "7692 7.2.2 message of which %ld of 7 octets came fails", left))
		    ->a = left;
	agree(rule_add(c, play_tail, "7692 7.2.1 message with its tail is right or fails"));
	agree(rule_add(c, play_no_octet, "7692 7.2.3.6 message of no octet is empty or fails"));
}

/* --- limits ----------------------------------------------------------------------- */

/* N zeros. Blocks that refer to nothing before them can be repeated. */
static void squeeze_zeros(struct script *s, struct octets *out, size_t n)
{
	const struct style style = { .blocks = BLOCKS_FORGET, .keeps_tail = true };
	struct octets mebibyte = { 0 }, rest = { 0 };
	size_t each = (size_t)1 << 20;
	unsigned char *zeros = script_room(s, each);
	struct squeezer *q = squeezer_new(15, true);

	memset(zeros, '0', each);
	squeeze(q, &mebibyte, zeros, each, &style);
	squeeze(q, &rest, zeros, n % each, &plainly);
	for (size_t at = 0; at + each <= n; at += each)
		octets_add(out, mebibyte.p, mebibyte.n);
	octets_add(out, rest.p, rest.n);
	octets_free(&mebibyte);
	octets_free(&rest);
	squeezer_free(q);
}

/* A: octets of the message. B: of its fragments; 0: it is whole. */
static void play_bomb(struct script *s, const struct rule *r)
{
	size_t n = (size_t)r->a;
	struct octets squeezed = { 0 };
	unsigned char *zeros;

	squeeze_zeros(s, &squeezed, n);
	send_in_fragments(s, RSV1 | TEXT, squeezed.p, squeezed.n, r->b ? (size_t)r->b : squeezed.n);
	octets_free(&squeezed);
	if (n > MESSAGE_MAX) {
		expect_failure(s, 1009);
		return;
	}
	zeros = script_room(s, n);
	memset(zeros, '0', n);
	expect_message(s, TEXT, zeros, n);
}

static void play_noise_limit(struct script *s, const struct rule *r)
{
	size_t n = MESSAGE_MAX + (size_t)r->a;
	const unsigned char *noise = script_noise(s, n);

	send_compressed(s, FIN | BINARY, noise, n, &(struct style){ .stores = true });
	if (r->a)
		expect_failure(s, 1009);
	else
		expect_message(s, BINARY, noise, n);
}

/* The announced length alone shows that it is too much. */
static void play_announced(struct script *s, const struct rule *r)
{
	struct oddity odd = { .announces = true, .length = (uint64_t)r->a, .width = 8 };

	send_odd_frame(s, FIN | RSV1 | TEXT, "", 0, &odd);
	expect_failure(s, 1009);
}

static void add_bombs(struct catalogue *c)
{
	static const struct {
		const char *name;
		long n, each;
	} bombs[] = {
		{ "7692 8 message that inflates to 16 MiB comes back", MESSAGE_MAX, 0 },
		{ "7692 8 message that inflates to 16 MiB and an octet fails with 1009",
		    MESSAGE_MAX + 1, 0 },
		{ "7692 8 message that inflates to 1 GiB fails with 1009", 1L << 30, 0 },
		{ "7692 8 message that inflates to 16 MiB, in fragments, comes back", MESSAGE_MAX,
		    1000 },
		{ "7692 8 message that inflates to 64 MiB, in fragments, fails with 1009",
		    64L << 20, 1000 },
	};

	for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		struct rule *r = agree(rule_add(c, play_bomb, "%s", bombs[i].name));

		r->a = bombs[i].n;
		r->b = bombs[i].each;
	}
	agree(rule_add(c, play_noise_limit, "7692 8 stored message of 16 MiB comes back"));
	agree(rule_add(c, play_noise_limit,
	          "7692 8 stored message of 16 MiB and an octet fails with 1009"))
	    ->a = 1;
	agree(rule_add(
	          c, play_announced, "6455 10.4 compressed frame of 2^63-1 octets fails with 1009"))
	    ->a = INT64_MAX;
	agree(rule_add(
	          c, play_announced, "6455 10.4 compressed frame of 2^32 octets fails with 1009"))
	    ->a = 1L << 32;
}

/* --- text ------------------------------------------------------------------------- */

static void play_bad_text(struct script *s, const struct rule *r)
{
	unsigned char text[64] = "before ";

	memcpy(text + 7, r->data, r->n);
	echo_compressed(s, TEXT, "good", 4, &plainly);
	echo_compressed(s, BINARY, text, 7 + r->n, &plainly);
	send_compressed(s, FIN | TEXT, text, 7 + r->n, &plainly);
	expect_failure(s, 1007);
}

/* Fragments and blocks may end where no code point does. */
static void play_text_cut(struct script *s, const struct rule *r)
{
	const unsigned char *text = script_text(s, 100);
	struct style style = { .block = (size_t)r->a };
	struct octets squeezed = script_squeeze(s, text, 100, &style);

	send_in_fragments(s, RSV1 | TEXT, squeezed.p, squeezed.n, (size_t)r->a);
	expect_message(s, TEXT, text, 100);
}

static void add_texts(struct catalogue *c)
{
	for (size_t i = 0; i < bad_sequence_count; i++) {
		struct rule *r = agree(rule_add(c, play_bad_text,
		    "6455 8.1 compressed text with %s fails with 1007", bad_sequences[i].name));

		r->data = bad_sequences[i].octets;
		r->n = bad_sequences[i].n;
	}
	struct rule *r = agree(rule_add(c, play_bad_text,
	    "6455 8.1 compressed text that ends within a code point fails with 1007"));

	r->data = "\xf0\x9f\x98";
	r->n = 3;
	for (long n = 1; n <= 4; n++)
		agree(rule_add(c, play_text_cut,
		          "6455 8.1 compressed text in blocks and fragments of %ld octets", n))
		    ->a = n;
}

void add_compression_rules(struct catalogue *c)
{
	add_bombs(c);
	add_examples(c);
	add_styles(c);
	add_matrix(c);
	add_contexts(c);
	add_frames(c);
	add_damages(c);
	add_texts(c);
}
