/*
 * tests/fuzz/fuzz_cluster.c - what other gateways say: of themselves (gateway_card.h), of whose a request is
 * (hop_request.h), and their answers (hop_answer.h).
 *
 * A card that is read is printed, and must be read as what it was. An answer is fed twice: whole, and cut at random as
 * the wire may do; it must be the same, and must end at the same octet. What goes on to the client has one end only,
 * and it is where we find it.
 *
 * Input: one octet for which of the three, and of seed; then the text.
 */
#include <string.h>

#include "base/buf.h"
#include "cluster/gateway_card.h"
#include "cluster/hop_answer.h"
#include "cluster/hop_request.h"
#include "tests/fuzz/must.h"

#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool is_within(struct bytes b, struct bytes all)
{
	return b.n == 0 || (b.p >= all.p && b.p + b.n <= all.p + all.n);
}

/* --- cards ------------------------------------------------------------------------------------------ */

static void check_card(struct bytes text)
{
	struct gateway_card card, again;
	char printed[ENGINE_CARD_MAX];
	size_t n;

	if (!gateway_card_read(text, &card))
		return;
	must(card.at.port > 0 && (card.at.family == AF_INET || card.at.family == AF_INET6));
	must(strlen(card.secret) == GATEWAY_SECRET);
	n = gateway_card_print(&card, printed);
	must(n < ENGINE_CARD_MAX && strlen(printed) == n);
	must(gateway_card_read((struct bytes){ printed, n }, &again));
	must(addr_same_ip(&again.at, &card.at) && again.at.port == card.at.port);
	must(strcmp(again.secret, card.secret) == 0 && again.view == card.view && again.strays == card.strays);
	must(again.idle_ms == card.idle_ms && again.is_tls == card.is_tls && again.drains == card.drains);
}

/* --- clients ---------------------------------------------------------------------------------------- */

static void check_client(struct bytes value)
{
	struct hop_client client;
	struct buf whole = BUF_INIT;

	if (hop_client_read(value, SECRET, &client))
		must(value.n > GATEWAY_SECRET && memcmp(value.p, SECRET, GATEWAY_SECRET) == 0);
	must(buf_add(&whole, SECRET " client=", sizeof(SECRET " client=") - 1) == 0);
	must(value.n == 0 || buf_add(&whole, value.p, value.n) == 0);
	value = (struct bytes){ buf_data(&whole), buf_len(&whole) };
	must(!hop_client_read(value, "0123456789abcdef0123456789abcdee", &client));
	must(!hop_client_read(value, "", &client));
	if (hop_client_read(value, SECRET, &client)) {
		must(client.address.family != 0);
		must(is_within(client.subject, value) && is_within(client.fingerprint, value));
		must(!memchr(client.fingerprint.n ? client.fingerprint.p : "", ' ', client.fingerprint.n));
	}
	buf_fini(&whole);
}

/* --- answers ---------------------------------------------------------------------------------------- */

/* As hop.c goes about it. */
struct run {
	struct hop_answer answer;
	struct buf rest, body, head;
	size_t taken; /* octets that belong to the answer */
	uint32_t random;
};

static size_t feed(struct run *r, struct bytes in)
{
	size_t n;

	if (r->answer.state == HOP_ANSWER_HEAD)
		n = hop_answer_feed_head(&r->answer, in);
	else
		n = hop_answer_feed_body(&r->answer, in);
	must(n <= in.n);
	return n;
}

static void take_body(struct run *r, struct bytes in)
{
	struct buf all = r->rest;
	size_t n;

	r->rest = BUF_INIT;
	must(buf_add(&all, in.p, in.n) == 0);
	n = feed(r, (struct bytes){ buf_data(&all), buf_len(&all) });
	must(buf_add(&r->body, buf_data(&all), n) == 0);
	must(buf_add(&r->rest, buf_data(&all) + n, buf_len(&all) - n) == 0);
	r->taken += n;
	buf_fini(&all);
}

static void take(struct run *r, struct bytes in)
{
	size_t n = 0;

	if (r->answer.state == HOP_ANSWER_HEAD) {
		n = feed(r, in);
		r->taken += n;
		if (r->answer.state == HOP_ANSWER_HEAD || r->answer.state == HOP_ANSWER_BAD)
			return;
		must(hop_answer_add_head(&r->answer, false, &r->head) == 0);
	}
	if (r->answer.state == HOP_ANSWER_BODY && n < in.n)
		take_body(r, (struct bytes){ in.p + n, in.n - n });
}

static void play(struct run *r, struct bytes in, uint32_t seed)
{
	r->random = seed;
	while (in.n > 0 && r->answer.state != HOP_ANSWER_OVER && r->answer.state != HOP_ANSWER_BAD) {
		size_t n = in.n;

		r->random = r->random * 1664525 + 1013904223;
		if (seed)
			n = 1 + (r->random >> 16) % (r->random >> 28 ? 7 : 300);
		n = n < in.n ? n : in.n;
		take(r, (struct bytes){ in.p, n });
		in = (struct bytes){ in.p + n, in.n - n };
	}
}

static bool are_equal(const struct buf *a, const struct buf *b)
{
	return bytes_equal((struct bytes){ buf_data(a), buf_len(a) }, (struct bytes){ buf_data(b), buf_len(b) });
}

static void must_be_alike(const struct run *a, const struct run *b)
{
	must(a->answer.state == b->answer.state);
	if (a->answer.state == HOP_ANSWER_BAD)
		return;
	must(a->answer.status == b->answer.status && a->answer.keeps_alive == b->answer.keeps_alive);
	must(a->answer.body == b->answer.body && a->answer.left == b->answer.left);
	must(a->taken == b->taken && are_equal(&a->head, &b->head) && are_equal(&a->body, &b->body));
	must(hop_answer_ends_here(&a->answer) == hop_answer_ends_here(&b->answer));
}

/* What the client gets is read as what we took it for, and nothing else can be read in it. */
static void must_go_on_as_it_is(const struct run *r)
{
	struct run again = { 0 };
	struct bytes head = { buf_data(&r->head), buf_len(&r->head) };

	if (head.n == 0)
		return;
	for (size_t i = 0; i < head.n; i++)
		must(head.p[i] != '\n' || (i > 0 && head.p[i - 1] == '\r'));
	if (head.n > HOP_HEAD_MOST)
		return; /* it was so long before we said that it ends */
	play(&again, head, 0);
	must(again.answer.state == HOP_ANSWER_BODY || again.answer.state == HOP_ANSWER_OVER);
	must(again.taken == head.n && !again.answer.keeps_alive);
	must(again.answer.status == r->answer.status && again.answer.body == r->answer.body);
	buf_fini(&again.head);
	hop_answer_fini(&again.answer);
}

static void run_fini(struct run *r)
{
	hop_answer_fini(&r->answer);
	buf_fini(&r->rest);
	buf_fini(&r->body);
	buf_fini(&r->head);
}

static void check_answer(struct bytes in, uint32_t seed)
{
	struct run whole = { 0 }, cut = { 0 };

	play(&whole, in, 0);
	play(&cut, in, seed | 1);
	must_be_alike(&whole, &cut);
	must_go_on_as_it_is(&whole);
	run_fini(&whole);
	run_fini(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes text;

	if (n == 0)
		return 0;
	text = (struct bytes){ (const char *)p + 1, n - 1 };
	if (p[0] % 4 == 0)
		check_card(text);
	else if (p[0] % 4 == 1)
		check_client(text);
	else
		check_answer(text, p[0]);
	return 0;
}
