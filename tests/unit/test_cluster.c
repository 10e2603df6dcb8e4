/*
 * tests/unit/test_cluster.c - what gateways say to each other and how it is read: whose a session is, what a gateway
 * says of itself, where sessions are, and requests and answers that go from one to another.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/gateways.h"
#include "cluster/hop_answer.h"
#include "cluster/hop_request.h"
#include "cluster/rendezvous.h"
#include "cluster/whereabouts.h"
#include "http_fixture.h"

#define SECRET "0123456789abcdef0123456789abcdef"

/* --- whose a session is --------------------------------------------------------------------------- */

/* Gateways of two versions must agree on it: these values never change. They are those of another program. */
START_TEST(scores_are_what_all_gateways_have_agreed_on)
{
	const uint64_t key = rendezvous_key(BYTES("/echo"), BYTES("abc"));

	ck_assert_uint_eq(key, UINT64_C(0x32c679e01b8614a3));
	ck_assert_uint_eq(rendezvous_key((struct bytes){ 0 }, (struct bytes){ 0 }), UINT64_C(0xaf63bd4c8601b7df));
	ck_assert_uint_eq(rendezvous_key(BYTES("/a"), BYTES("b")), UINT64_C(0x36d04a9cb40b08af));
	ck_assert_uint_eq(rendezvous_key(BYTES("/a\0b"), BYTES("")), UINT64_C(0x2ef77745eebfc15d));
	ck_assert_uint_eq(rendezvous_score(1, 0), UINT64_C(0xe220a8397b1dcdaf));
	ck_assert_uint_eq(rendezvous_score(0, 1), UINT64_C(0x5692161d100b05e5));
	ck_assert_uint_eq(rendezvous_score(UINT64_C(0xfeedfacecafebeef), key), UINT64_C(0x3d95e3864182a827));
	ck_assert_uint_eq(rendezvous_score(UINT64_MAX, UINT64_MAX), UINT64_C(0xe4d971771b652c20));
}
END_TEST

START_TEST(prefix_and_id_are_not_taken_for_two_others)
{
	ck_assert_uint_ne(rendezvous_key(BYTES("/a"), BYTES("bc")), rendezvous_key(BYTES("/ab"), BYTES("c")));
	ck_assert_uint_ne(rendezvous_key(BYTES("/a"), BYTES("")), rendezvous_key(BYTES(""), BYTES("/a")));
}
END_TEST

enum { SESSIONS = 20000 };

static uint64_t key_of(unsigned session)
{
	char id[24];

	snprintf(id, sizeof(id), "session%u", session);
	return rendezvous_key(BYTES("/echo"), bytes_of(id));
}

/* With ids as a balancer's neighbour may choose them: they follow each other. The first one is us. */
static struct gateways *some_gateways(unsigned count)
{
	struct gateway list[32] = { 0 };
	struct gateways *g;

	for (unsigned i = 0; i < count; i++)
		list[i] = (struct gateway){ .id = i + 1, .is_self = i == 0 };
	g = gateways_new(list, count, true);
	ck_assert_ptr_nonnull(g);
	return g;
}

static uint64_t owner_of(const struct gateways *g, unsigned session)
{
	return gateways_owner(g, key_of(session), NULL, NULL)->id;
}

START_TEST(all_gateways_have_even_shares)
{
	for (unsigned count = 2; count <= 20; count++) {
		struct gateways *g = some_gateways(count);
		unsigned share[21] = { 0 }, even = SESSIONS / count;

		for (unsigned i = 0; i < SESSIONS; i++)
			share[owner_of(g, i)]++;
		for (unsigned i = 1; i <= count; i++) {
			int off = (int)share[i] - (int)even;

			/* Five times as far as chance usually goes */
			ck_assert_msg((unsigned)(off * off) <= 25 * even, "%u of %u: %u", i, count, share[i]);
		}
		gateways_unref(g);
	}
}
END_TEST

START_TEST(one_that_goes_moves_its_own_share_alone)
{
	struct gateways *before = some_gateways(8), *after = some_gateways(7);
	unsigned moved = 0;

	for (unsigned i = 0; i < SESSIONS; i++) {
		uint64_t owner = owner_of(before, i);

		if (owner == 8)
			moved++;
		else
			ck_assert_uint_eq(owner_of(after, i), owner);
	}
	ck_assert_uint_gt(moved, SESSIONS / 10);
	ck_assert_uint_lt(moved, SESSIONS / 6);
	gateways_unref(before);
	gateways_unref(after);
}
END_TEST

/* --- what a gateway says of itself ------------------------------------------------------------------ */

static const struct gateway_card card = {
	.at = { .family = AF_INET, .port = 8080, .ip = { 10, 0, 0, 1 } },
	.secret = SECRET,
	.view = UINT64_C(0xc5),
	.strays = 3,
	.idle_ms = 10000,
};

static bool reads(const char *text, struct gateway_card *out)
{
	return gateway_card_read(bytes_of(text), out);
}

static void comes_back(const struct gateway_card *c)
{
	char text[ENGINE_CARD_MAX];
	size_t n = gateway_card_print(c, text);
	struct gateway_card read;

	ck_assert_uint_lt(n, ENGINE_CARD_MAX);
	ck_assert_uint_eq(strlen(text), n);
	ck_assert_msg(gateway_card_read((struct bytes){ text, n }, &read), "%s", text);
	ck_assert(addr_same_ip(&read.at, &c->at));
	ck_assert_uint_eq(read.at.port, c->at.port);
	ck_assert_str_eq(read.secret, c->secret);
	ck_assert_uint_eq(read.view, c->view);
	ck_assert_uint_eq(read.strays, c->strays);
	ck_assert_uint_eq(read.idle_ms, c->idle_ms);
	ck_assert(read.is_tls == c->is_tls && read.drains == c->drains);
}

START_TEST(a_card_comes_back_as_it_went)
{
	struct gateway_card c = card;
	char text[ENGINE_CARD_MAX];

	gateway_card_print(&c, text);
	ck_assert_str_eq(text, "at=10.0.0.1:8080 secret=" SECRET " view=00000000000000c5 strays=3 idle=10000");
	comes_back(&c);
	c.is_tls = true;
	comes_back(&c);
	c.drains = true;
	comes_back(&c);
	c.is_tls = false;
	comes_back(&c);
}
END_TEST

START_TEST(the_longest_card_comes_back_too)
{
	struct gateway_card c = card;

	c.at = (struct addr){ .family = AF_INET6, .port = 65535 };
	memset(c.at.ip, 0xfe, sizeof(c.at.ip));
	c.view = UINT64_MAX;
	c.strays = 999999999999999999; /* more than memory holds */
	c.idle_ms = 86400000;
	c.is_tls = c.drains = true;
	comes_back(&c);
}
END_TEST

START_TEST(an_address_of_ipv6_is_in_brackets)
{
	struct gateway_card c = card;
	char text[ENGINE_CARD_MAX];

	c.at = (struct addr){ .family = AF_INET6, .port = 81, .ip = { [15] = 1 } };
	gateway_card_print(&c, text);
	ck_assert_ptr_nonnull(strstr(text, "at=[::1]:81 "));
	comes_back(&c);
}
END_TEST

START_TEST(words_of_a_later_version_are_skipped)
{
	struct gateway_card c;

	ck_assert(reads("weight=7  new at=10.0.0.1:1 tlsx secret=" SECRET " drainsnot at", &c));
	ck_assert(!c.is_tls && !c.drains);
	ck_assert_uint_eq(c.strays, 1); /* who does not say that there are none has some */
	ck_assert_uint_eq(c.idle_ms, 0);
}
END_TEST

START_TEST(who_does_not_say_where_he_is_or_his_secret_is_none)
{
	struct gateway_card c;

	ck_assert(!reads("", &c));
	ck_assert(!gateway_card_read((struct bytes){ 0 }, &c));
	ck_assert(!reads("at=10.0.0.1:8080", &c));
	ck_assert(!reads("secret=" SECRET, &c));
	ck_assert(!reads(" ", &c));
}
END_TEST

static const char *const bad_words[] = {
	"at=", "at=10.0.0.1", "at=10.0.0.1:", "at=10.0.0.1:0", "at=10.0.0.1:65536", "at=10.0.0.1:80x", "at=10.0.0.1:-1",
	"at=10.0.0.1:99999999999999999999", "at=:80", "at=host:80", "at=10.0.0:80", "at=::1:80", "at=::1", "at=[::1]",
	"at=[::1:80", "at=::1]:80", "at=[]:80", "at=[10.0.0.1]:80", "at=[fe80::1%lo]:80", "at=unix", "at=unix:80",
	"at=10.0.0.1:80:80", "secret=", "secret=0123456789abcdef0123456789abcde", "secret=" SECRET "0",
	"secret=0123456789ABCDEF0123456789abcdef", "secret=0123456789abcdef0123456789abcdeg",
	"secret=0123456789abcdef\t0123456789abcde", "view=", "view=x", "view=00000000000000c5a", "view=00C5",
	"view=-1", "strays=", "strays=-1", "strays=x", "strays=1x", "strays=99999999999999999999", "idle=", "idle=-1",
	"idle=86400001", "idle=99999999999999999999", "idle=4294967297", "idle=1.5",
};

START_TEST(a_word_that_is_malformed_spoils_the_card)
{
	struct gateway_card c;
	char text[ENGINE_CARD_MAX];

	for (int before = 0; before < 2; before++) {
		snprintf(text, sizeof(text), "%s%sat=10.0.0.1:8080 secret=" SECRET "%s%s", before ? bad_words[_i] : "",
		    before ? " " : "", before ? "" : " ", before ? "" : bad_words[_i]);
		ck_assert_msg(!reads(text, &c), "%s", text);
	}
}
END_TEST

START_TEST(octets_of_every_kind_are_no_card)
{
	char text[ENGINE_CARD_MAX];
	struct gateway_card c;
	size_t n = gateway_card_print(&card, text);

	for (size_t i = 0; i < n; i++)
		for (unsigned octet = 0; octet < 256; octet++) {
			char was = text[i];

			text[i] = (char)octet;
			if (gateway_card_read((struct bytes){ text, n }, &c)) {
				ck_assert_uint_eq(strspn(c.secret, "0123456789abcdef"), GATEWAY_SECRET);
				ck_assert_uint_gt(c.at.port, 0);
				ck_assert_uint_le(c.idle_ms, 86400000);
			}
			text[i] = was;
		}
	for (size_t i = 0; i < n; i++) /* and cut anywhere */
		gateway_card_read((struct bytes){ text, i }, &c);
}
END_TEST

/* --- which gateways there are ------------------------------------------------------------------------- */

static bool is_not_the_second(const struct gateway *one, void *arg)
{
	return one->id != *(const uint64_t *)arg;
}

static bool is_nobody(const struct gateway *one, void *arg)
{
	(void)one, (void)arg;
	return false;
}

START_TEST(who_drains_or_may_not_be_owns_nothing)
{
	struct gateway list[3] = { { .id = 1, .is_self = true }, { .id = 2 }, { .id = 3, .card.drains = true } };
	struct gateways *g = gateways_new(list, 3, true);
	uint64_t second = 2;
	bool had_second = false;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t owner = owner_of(g, i);

		ck_assert_uint_ne(owner, 3);
		had_second |= owner == 2;
		ck_assert_uint_eq(gateways_owner(g, key_of(i), is_not_the_second, &second)->id, 1);
		ck_assert(gateways_owner(g, key_of(i), is_nobody, NULL)->is_self);
	}
	ck_assert(had_second);
	gateways_unref(g);
}
END_TEST

/* Also if we are not the first. */
START_TEST(where_all_drain_it_is_ours)
{
	struct gateway list[2] = { { .id = 7, .card.drains = true }, { .id = 8, .is_self = true, .card.drains = true } };
	struct gateways *g = gateways_new(list, 2, true);

	ck_assert_uint_eq(owner_of(g, 1), 8);
	ck_assert_uint_eq(g->view, 0);
	gateways_unref(g);
}
END_TEST

START_TEST(a_view_is_the_same_whatever_the_order)
{
	struct gateway a = { .id = 1, .is_self = true }, b = { .id = 2 }, c = { .id = 3 };
	struct gateways *one = gateways_new((struct gateway[]){ a, b, c }, 3, true);
	struct gateways *other = gateways_new((struct gateway[]){ c, a, b }, 3, false);
	struct gateways *less = gateways_new((struct gateway[]){ a, b }, 2, false);
	struct gateways *drained;

	c.card.drains = true;
	drained = gateways_new((struct gateway[]){ b, c, a }, 3, false);
	ck_assert_uint_eq(one->view, UINT64_C(0x8a9c6b4b5aaded14));
	ck_assert_uint_eq(other->view, one->view);
	ck_assert_uint_ne(less->view, one->view);
	ck_assert_uint_eq(drained->view, less->view); /* it is about those that take new sessions */
	gateways_unref(one);
	gateways_unref(other);
	gateways_unref(less);
	gateways_unref(drained);
}
END_TEST

START_TEST(gateways_are_found_by_id_and_address)
{
	struct gateway list[2] = { { .id = 1, .is_self = true, .card = card }, { .id = 2, .card = card } };
	struct addr a = { .family = AF_INET, .port = 9, .ip = { 10, 0, 0, 2 } };
	struct gateways *g;

	list[1].card.at.ip[3] = 2;
	g = gateways_new(list, 2, true);
	ck_assert_uint_eq(gateways_find(g, 2)->id, 2);
	ck_assert_ptr_null(gateways_find(g, 3));
	ck_assert(gateways_has_address(g, &a)); /* from whichever port it comes */
	ck_assert(!gateways_has_address(g, &card.at)); /* we do not count */
	ck_assert(!gateways_has_address(g, &(struct addr){ 0 }));
	ck_assert_ptr_eq(gateways_ref(g), g);
	gateways_unref(g);
	ck_assert_uint_eq(g->count, 2);
	gateways_unref(g);
	gateways_unref(NULL);
}
END_TEST

/* --- where sessions are ------------------------------------------------------------------------------- */

static struct whereabouts whereabouts;

static int note(unsigned i, uint64_t gateway)
{
	char name[24];

	snprintf(name, sizeof(name), "/echo session %u", i);
	return whereabouts_note(&whereabouts, bytes_of(name), (struct whereabout){ .gateway = gateway });
}

static bool knows(unsigned i, uint64_t *gateway)
{
	struct whereabout w;
	char name[24];
	bool found;

	snprintf(name, sizeof(name), "/echo session %u", i);
	found = whereabouts_find(&whereabouts, bytes_of(name), &w);
	*gateway = found ? w.gateway : 0;
	return found;
}

START_TEST(what_was_noted_last_is_found)
{
	struct whereabout w;
	uint64_t gateway;

	whereabouts_init(&whereabouts);
	ck_assert(whereabouts_are_none(&whereabouts));
	ck_assert(!knows(1, &gateway));
	ck_assert(whereabouts_are_none(&whereabouts));
	ck_assert_int_eq(note(1, 5), 0);
	ck_assert(!whereabouts_are_none(&whereabouts));
	ck_assert(knows(1, &gateway) && gateway == 5);
	ck_assert_int_eq(note(1, 6), 0);
	ck_assert(knows(1, &gateway) && gateway == 6);
	ck_assert_int_eq(whereabouts_note(&whereabouts, BYTES("a\0b"), (struct whereabout){ 1, 77 }), 0);
	ck_assert(whereabouts_find(&whereabouts, BYTES("a\0b"), &w) && w.gateway == 1 && w.until == 77);
	ck_assert(!whereabouts_find(&whereabouts, BYTES("a\0c"), &w));
	ck_assert(!whereabouts_find(&whereabouts, BYTES("a"), &w));
	whereabouts_fini(&whereabouts);
}
END_TEST

static size_t count_all(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < WHEREABOUTS_SHARDS; i++)
		n += map_count(&whereabouts.shards[i].map);
	return n;
}

/* Those that are asked for stay, however many come. */
START_TEST(what_was_not_used_for_longest_is_forgotten)
{
	const unsigned most = WHEREABOUTS_SHARDS * WHEREABOUTS_OF_SHARD, all = most + most / 2;
	uint64_t gateway;

	whereabouts_init(&whereabouts);
	for (unsigned i = 0; i < all; i++) {
		ck_assert_int_eq(note(i, i + 1), 0);
		if (i % 1000 == 0)
			ck_assert(knows(0, &gateway) && gateway == 1);
	}
	ck_assert_uint_eq(count_all(), most); /* each shard is full */
	ck_assert(knows(0, &gateway));
	ck_assert(!knows(1, &gateway)); /* not used since: long gone */
	ck_assert(knows(all - 1, &gateway) && gateway == all);
	whereabouts_fini(&whereabouts);
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000 };

/* Each writes its own number, or another's in place of it: what is found is one that was noted. */
static void *use(void *arg)
{
	unsigned own = *(unsigned *)arg;
	uint64_t gateway;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (note(i % 512, own * 1000 + i % 512) < 0)
			return (char *)"no memory";
		if (knows((i * 7) % 512, &gateway) && (gateway % 1000 != (i * 7) % 512 || gateway / 1000 > THREADS))
			return (char *)"what nobody has noted";
	}
	return NULL;
}

START_TEST(threads_may_use_it_at_once)
{
	pthread_t threads[THREADS];
	unsigned numbers[THREADS];
	void *wrong;

	whereabouts_init(&whereabouts);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i + 1;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		ck_assert_msg(!wrong, "%s", (char *)wrong);
	}
	ck_assert_uint_eq(count_all(), 512);
	whereabouts_fini(&whereabouts);
}
END_TEST

START_TEST(without_memory_nothing_is_noted_and_nothing_lost)
{
	uint64_t gateway;

	whereabouts_init(&whereabouts);
	ck_assert_int_eq(note(1, 1), 0);
	for (unsigned long nth = 1;; nth++) {
		int err;

		mem_fail_at(nth);
		err = note(2, 2);
		mem_fail_at(0);
		if (err == 0)
			break;
		ck_assert(!knows(2, &gateway));
		ck_assert(knows(1, &gateway));
	}
	ck_assert(knows(2, &gateway));
	whereabouts_fini(&whereabouts);
}
END_TEST

/* --- a request on its way ------------------------------------------------------------------------------- */

static struct hop_client whose;
static struct buf passed_on;

static void pass_it_on(struct http_request *r)
{
	buf_clear(&passed_on);
	ck_assert_int_eq(hop_request_add(&passed_on, r, &whose, SECRET), 0);
	ck_assert_int_eq(buf_add(&passed_on, "", 1), 0);
	http_respond_text(r, 200, "gone");
}

static void request_setup(void)
{
	http_setup();
	serving = pass_it_on;
	whose = (struct hop_client){
		.address = { .family = AF_INET, .port = 4711, .ip = { 192, 0, 2, 1 } },
		.host = BYTES("app.example"),
	};
}

static void request_teardown(void)
{
	buf_fini(&passed_on);
	http_teardown();
}

static const char *pass_on(const char *request)
{
	ck_assert_uint_eq(status_of(request), 200);
	return buf_data(&passed_on);
}

#define OURS HOP_HEADER ": " SECRET " client=192.0.2.1:4711"

START_TEST(a_request_goes_on_as_it_came)
{
	ck_assert_str_eq(pass_on("GET /echo/0/a/xhr?t=1&x HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=d\r\n"
	                         "X-Empty:\r\nAccept:  a, b \r\n\r\n"),
	    "GET /echo/0/a/xhr?t=1&x HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\nCookie: a=b; c=d\r\nX-Empty: \r\n"
	    "Accept: a, b\r\n\r\n");
	ck_assert_str_eq(pass_on("POST /a%20b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n[\"\"]"),
	    "POST /a%20b HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\nContent-Length: 4\r\n\r\n[\"\"]");
	ck_assert_str_eq(pass_on("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
	    "POST /a HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\nContent-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(a_body_of_chunks_becomes_one_of_known_length)
{
	ck_assert_str_eq(pass_on("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	                         "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: railer\r\n\r\n"),
	    "POST /a HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\nContent-Length: 3\r\n\r\nabc");
}
END_TEST

START_TEST(an_old_client_is_passed_on_as_such)
{
	whose.host = (struct bytes){ 0 };
	ck_assert_str_eq(pass_on("GET /a HTTP/1.0\r\n\r\n"), "GET /a HTTP/1.0\r\n" OURS "\r\n\r\n");
}
END_TEST

START_TEST(what_is_between_two_ends_stays_there)
{
	ck_assert_str_eq(pass_on("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close, X-One , X-TWO\r\nx-one: 1\r\nX-Two: 2\r\n"
	                         "Connection: X-Four\r\nX-Three: 3\r\nX-Four: 4\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n"
	                         "TE: trailers\r\nTrailer: T\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nb"),
	    "POST /a HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\nX-Three: 3\r\nContent-Length: 1\r\n\r\nb");
}
END_TEST

/* It would be believed. */
START_TEST(our_own_header_from_a_client_is_dropped)
{
	const char *text = pass_on("GET /a HTTP/1.1\r\nHost: x\r\nsockjsd-PEER: " SECRET " client=10.0.0.1:1 tls\r\n\r\n");

	ck_assert_str_eq(text, "GET /a HTTP/1.1\r\nHost: app.example\r\n" OURS "\r\n\r\n");
}
END_TEST

/* The value of our header in what was passed on. */
static struct bytes header_value(void)
{
	const char *at = strstr(buf_data(&passed_on), HOP_HEADER ": ");

	ck_assert_ptr_nonnull(at);
	at += strlen(HOP_HEADER ": ");
	return (struct bytes){ at, (size_t)(strstr(at, "\r\n") - at) };
}

static void is_read_as_it_was(void)
{
	struct hop_client read;

	pass_on(GET("/a"));
	ck_assert_msg(hop_client_read(header_value(), SECRET, &read), "%s", buf_data(&passed_on));
	ck_assert_uint_eq(read.address.family, whose.address.family);
	ck_assert_uint_eq(read.address.port, whose.address.port);
	ck_assert_mem_eq(read.address.ip, whose.address.ip, sizeof(read.address.ip));
	ck_assert(read.is_tls == whose.is_tls && read.is_proxied == whose.is_proxied);
	ck_assert(bytes_equal(read.fingerprint, whose.fingerprint));
	ck_assert(bytes_equal(read.subject, whose.subject));
}

START_TEST(whose_it_is_comes_as_it_went)
{
	for (unsigned i = 0; i < 8; i++) {
		whose.is_tls = i & 1;
		whose.is_proxied = i & 2;
		whose.fingerprint = i & 4 ? BYTES("00ff") : (struct bytes){ 0 };
		whose.subject = i & 4 ? BYTES("CN=ann b, O=An Example tls fingerprint=1 subject=2,OU=\\+") : (struct bytes){ 0 };
		is_read_as_it_was();
	}
	whose.subject = (struct bytes){ 0 }; /* a certificate may have none */
	is_read_as_it_was();
}
END_TEST

START_TEST(every_kind_of_address_comes_as_it_went)
{
	whose.address = (struct addr){ .family = AF_UNIX };
	is_read_as_it_was();
	whose.address = (struct addr){ .family = AF_INET6, .port = 65535, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	is_read_as_it_was();
	whose.address.port = 0; /* a proxy has told none */
	is_read_as_it_was();
	whose.address = (struct addr){ .family = AF_INET6 };
	is_read_as_it_was();
	whose.address = (struct addr){ .family = AF_INET, .ip = { 192, 0, 2, 1 } };
	is_read_as_it_was();
}
END_TEST

/* --- who says so ------------------------------------------------------------------------------------------ */

static bool reads_client(const char *value)
{
	struct hop_client client;

	return hop_client_read(bytes_of(value), SECRET, &client);
}

START_TEST(who_does_not_know_the_secret_is_not_believed)
{
	static const char value[] = SECRET " client=10.0.0.1:1";
	struct hop_client client;
	char other[sizeof(value)];

	ck_assert(reads_client(value));
	for (size_t n = 0; n < sizeof(value) - 1; n++) /* a right beginning of each length */
		if (n < sizeof(value) - 3)
			ck_assert(!hop_client_read((struct bytes){ value, n }, SECRET, &client));
	for (size_t n = 0; n < GATEWAY_SECRET; n++) { /* a secret that is too short, and one that is wrong */
		snprintf(other, sizeof(other), "%.*s client=10.0.0.1:1", (int)n, SECRET);
		ck_assert(!reads_client(other));
		memcpy(other, value, sizeof(value));
		other[n] ^= 1;
		ck_assert(!reads_client(other));
	}
	ck_assert(!reads_client(SECRET "0 client=10.0.0.1:1"));
	ck_assert(!reads_client(" " SECRET " client=10.0.0.1:1"));
	ck_assert(!hop_client_read(BYTES(" client=10.0.0.1:1"), "", &client)); /* nobody has none */
	ck_assert(!hop_client_read((struct bytes){ 0 }, SECRET, &client));
}
END_TEST

START_TEST(what_is_malformed_behind_the_secret_is_not_believed)
{
	static const char *const bad[] = { "", " ", " client", " client=", " client=x", " client=10.0.0",
		" client=10.0.0.1:", " client=10.0.0.1:70000", " client=10.0.0.1:00", " client=::1]:1", " client=[::1:1", " client=unknown",
		" client=:0", " client=unix:0", " client=10.0.0.1:1 ", " client=10.0.0.1:1 x", " client=10.0.0.1:1 tlsx",
		" client=10.0.0.1:1 proxied tls", " client=10.0.0.1:1 tls tls", " client=10.0.0.1:1  tls",
		" client=10.0.0.1:1 fingerprint=00", " client=10.0.0.1:1 fingerprint= subject", " client=10.0.0.1:1 subject=x",
		"  client=10.0.0.1:1", " client=10.0.0.1:1 tlsproxied" };
	char value[100];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(value, sizeof(value), SECRET "%s", bad[i]);
		ck_assert_msg(!reads_client(value), "%s", value);
	}
	ck_assert(reads_client(SECRET " client=unix tls proxied fingerprint=00 subject="));
}
END_TEST

/* --- an answer --------------------------------------------------------------------------------------------- */

/* What became of one, as hop.c goes about it. */
struct answered {
	struct hop_answer answer;
	struct buf head, body; /* for the client */
	size_t behind;         /* octets that belong to no answer */
};

/* Takes a piece of the body; what was no whole line comes again with the next one. */
static void take_body(struct answered *a, struct bytes in, struct buf *rest)
{
	struct buf all = *rest;
	size_t n = 0;

	*rest = BUF_INIT;
	ck_assert_int_eq(buf_add(&all, in.p, in.n), 0);
	in = (struct bytes){ buf_data(&all), buf_len(&all) };
	if (a->answer.state == HOP_ANSWER_BODY)
		n = hop_answer_feed_body(&a->answer, in);
	ck_assert_uint_le(n, in.n);
	ck_assert_int_eq(buf_add(&a->body, in.p, n), 0);
	if (a->answer.state == HOP_ANSWER_BODY)
		ck_assert_int_eq(buf_add(rest, in.p + n, in.n - n), 0);
	else
		a->behind += in.n - n;
	buf_fini(&all);
}

static void take(struct answered *a, struct bytes in, struct buf *rest)
{
	size_t n = 0;

	if (a->answer.state == HOP_ANSWER_BAD)
		return;
	if (a->answer.state == HOP_ANSWER_HEAD) {
		n = hop_answer_feed_head(&a->answer, in);
		ck_assert_uint_le(n, in.n);
		if (a->answer.state == HOP_ANSWER_HEAD || a->answer.state == HOP_ANSWER_BAD)
			return;
		ck_assert_int_eq(hop_answer_add_head(&a->answer, true, &a->head), 0);
	}
	if (n < in.n)
		take_body(a, (struct bytes){ in.p + n, in.n - n }, rest);
}

/* It comes in pieces: one of `first` octets, the others of `step`. */
static struct answered play(struct bytes in, size_t first, size_t step)
{
	struct answered a = { 0 };
	struct buf rest = BUF_INIT;
	size_t n = first;

	for (size_t at = 0; at < in.n; at += n, n = step) {
		if (n == 0)
			continue;
		if (n > in.n - at)
			n = in.n - at;
		take(&a, (struct bytes){ in.p + at, n }, &rest);
	}
	buf_fini(&rest);
	ck_assert_int_eq(buf_add(&a.head, "", 1), 0);
	ck_assert_int_eq(buf_add(&a.body, "", 1), 0);
	return a;
}

static void answered_fini(struct answered *a)
{
	hop_answer_fini(&a->answer);
	buf_fini(&a->head);
	buf_fini(&a->body);
}

static void are_alike(const struct answered *a, const struct answered *b)
{
	ck_assert_uint_eq(a->answer.state, b->answer.state);
	if (a->answer.state == HOP_ANSWER_BAD)
		return;
	ck_assert_uint_eq(a->answer.status, b->answer.status);
	ck_assert(a->answer.keeps_alive == b->answer.keeps_alive);
	ck_assert_uint_eq(a->behind, b->behind);
	ck_assert_str_eq(buf_data(&a->head), buf_data(&b->head));
	ck_assert_str_eq(buf_data(&a->body), buf_data(&b->body));
	ck_assert(hop_answer_ends_here(&a->answer) == hop_answer_ends_here(&b->answer));
}

/* As it is in one piece; however it is cut, it is the same. */
static struct answered answer_of(const char *text)
{
	struct bytes in = bytes_of(text);
	struct answered whole = play(in, in.n, in.n);

	for (size_t i = 0; i < in.n; i++) {
		struct answered cut = play(in, i, in.n);

		are_alike(&cut, &whole);
		answered_fini(&cut);
	}
	for (size_t step = 1; step < 4; step++) {
		struct answered slow = play(in, step, step);

		are_alike(&slow, &whole);
		answered_fini(&slow);
	}
	return whole;
}

static void is_answer(const char *text, enum hop_answer_state state, const char *head, const char *body, bool keeps_alive,
    size_t behind)
{
	struct answered a = answer_of(text);

	ck_assert_msg(a.answer.state == state, "%s: %u", text, a.answer.state);
	ck_assert_str_eq(buf_data(&a.head), head);
	ck_assert_str_eq(buf_data(&a.body), body);
	ck_assert_msg(a.answer.keeps_alive == keeps_alive, "%s", text);
	ck_assert_uint_eq(a.behind, behind);
	answered_fini(&a);
}

START_TEST(a_body_of_known_length_ends_with_it)
{
	is_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc", HOP_ANSWER_OVER,
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\n", "abc", true, 0);
	is_answer("HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", HOP_ANSWER_OVER, "HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", "",
	    true, 0);
	is_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcde", HOP_ANSWER_OVER,
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "abc", true, 2);
	is_answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", HOP_ANSWER_BODY,
	    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "ab", true, 0);
}
END_TEST

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

START_TEST(a_chunked_body_passes_as_it_is)
{
	static const char *const bodies[] = { "0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "3;a=\"b\";c\r\nabc\r\n00\r\n\r\n",
		"1\r\na\r\nA\r\n\r\n\r\n\r\n0\r\nx\r\n0\r\n\r\n", "1 ;x\r\na\r\n0;last\r\nX-Trailer: y\r\nZ:\r\n\r\n" };
	char text[200];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		snprintf(text, sizeof(text), CHUNKED "%s", bodies[i]);
		is_answer(text, HOP_ANSWER_OVER, CHUNKED, bodies[i], true, 0);
		strcat(text, "more");
		is_answer(text, HOP_ANSWER_OVER, CHUNKED, bodies[i], true, 4);
	}
	is_answer(CHUNKED "3\r\nabc\r\n", HOP_ANSWER_BODY, CHUNKED, "3\r\nabc\r\n", true, 0);
}
END_TEST

START_TEST(a_chunked_body_that_is_malformed_is_bad)
{
	static const char *const bodies[] = { "x\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n", "\r\n",
		"0000000000000001\r\na\r\n", "0\r\nno colon\r\n\r\n", "0\r\n: x\r\n\r\n", "0\r\n a: x\r\n\r\n", "1 x\r\na\r\n",
		"1;\001\r\na\r\n" };
	char text[200];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct answered a;

		snprintf(text, sizeof(text), CHUNKED "%s", bodies[i]);
		a = answer_of(text);
		ck_assert_msg(a.answer.state == HOP_ANSWER_BAD, "%s", bodies[i]);
		ck_assert(!hop_answer_ends_here(&a.answer));
		answered_fini(&a);
	}
}
END_TEST

START_TEST(an_answer_may_end_with_its_connection)
{
	struct answered a = answer_of("HTTP/1.1 200 OK\r\n\r\nabc");

	ck_assert_uint_eq(a.answer.state, HOP_ANSWER_BODY);
	ck_assert(hop_answer_ends_here(&a.answer));
	ck_assert(!a.answer.keeps_alive);
	ck_assert_str_eq(buf_data(&a.body), "abc");
	answered_fini(&a);
	a = answer_of(CHUNKED "1\r\na\r\n");
	ck_assert(!hop_answer_ends_here(&a.answer));
	answered_fini(&a);
	a = answer_of("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc");
	ck_assert(!hop_answer_ends_here(&a.answer));
	answered_fini(&a);
	a = answer_of("HTTP/1.1 200 OK\r\n");
	ck_assert_uint_eq(a.answer.state, HOP_ANSWER_HEAD);
	ck_assert(!hop_answer_ends_here(&a.answer));
	answered_fini(&a);
}
END_TEST

START_TEST(some_answers_have_no_body)
{
	is_answer("HTTP/1.1 204 No Content\r\n\r\n", HOP_ANSWER_OVER, "HTTP/1.1 204 No Content\r\n\r\n", "", true, 0);
	is_answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", HOP_ANSWER_OVER,
	    "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", true, 0);
	is_answer("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\nx", HOP_ANSWER_OVER,
	    "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "", true, 1);
}
END_TEST

START_TEST(what_is_between_gateways_is_left_out)
{
	is_answer("HTTP/1.1 200 OK\r\nConnection: close\r\nA: b\r\nKEEP-ALIVE: timeout=5\r\nContent-Length: 0\r\n\r\n",
	    HOP_ANSWER_OVER, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n", "", false, 0);
	is_answer("HTTP/1.1 200 OK\r\nconnection:  keep-alive \r\nContent-Length: 0\r\n\r\n", HOP_ANSWER_OVER,
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true, 0);
	is_answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HOP_ANSWER_OVER,
	    "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "", false, 0);
}
END_TEST

START_TEST(who_is_not_to_ask_again_is_told)
{
	struct hop_answer a = { 0 };
	struct buf head = BUF_INIT;

	hop_answer_feed_head(&a, BYTES("HTTP/1.1 204 No\r\nConnection: keep-alive\r\nA: b\r\n\r\n"));
	ck_assert_int_eq(hop_answer_add_head(&a, false, &head), 0);
	ck_assert_int_eq(buf_add(&head, "", 1), 0);
	ck_assert_str_eq(buf_data(&head), "HTTP/1.1 204 No\r\nA: b\r\nConnection: close\r\n\r\n");
	buf_fini(&head);
	hop_answer_fini(&a);
}
END_TEST

static const char *const bad_heads[] = {
	"\r\n\r\n", "HTTP/1.1 200 OK\r\nnothing\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 199 x\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
	"http/1.1 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
	/* What two readers could read in two ways: a client would find another end than we */
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 7\r\nContent-Length: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n", "HTTP/1.1 200 OK\nA: b\r\n\r\n", "HTTP/1.1 200 \001\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA\001: b\r\n\r\n", "HTTP/1.x 200 OK\r\n\r\n",
};

START_TEST(a_head_that_is_malformed_is_bad)
{
	struct answered a = answer_of(bad_heads[_i]);

	ck_assert_msg(a.answer.state == HOP_ANSWER_BAD, "%s", bad_heads[_i]);
	ck_assert(!hop_answer_ends_here(&a.answer));
	answered_fini(&a);
}
END_TEST

/* A head of so many octets. */
static void make_head(struct buf *out, size_t n)
{
	static const char begin[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nA: ", end[] = "\r\n\r\n";

	ck_assert_int_eq(buf_add_str(out, begin), 0);
	while (buf_len(out) < n - strlen(end))
		ck_assert_int_eq(buf_add(out, "a", 1), 0);
	ck_assert_int_eq(buf_add_str(out, end), 0);
}

static enum hop_answer_state state_of_head(size_t n, size_t step)
{
	struct buf text = BUF_INIT;
	struct answered a;
	enum hop_answer_state state;

	make_head(&text, n);
	ck_assert_int_eq(buf_add(&text, "b", 1), 0);
	a = play((struct bytes){ buf_data(&text), buf_len(&text) }, step, step);
	state = a.answer.state;
	ck_assert_uint_le(buf_len(&a.answer.head), HOP_HEAD_MOST);
	answered_fini(&a);
	buf_fini(&text);
	return state;
}

START_TEST(a_head_that_is_too_long_is_bad)
{
	static const size_t steps[] = { 1, 7, 1000, 32768, 65535, 65536, 100000 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		ck_assert_uint_eq(state_of_head(HOP_HEAD_MOST, steps[i]), HOP_ANSWER_OVER);
		ck_assert_uint_eq(state_of_head(HOP_HEAD_MOST + 1, steps[i]), HOP_ANSWER_BAD);
	}
}
END_TEST

/* One that says no more than that must not be waited for. */
START_TEST(a_head_that_fills_all_its_room_is_bad_at_once)
{
	struct hop_answer a = { 0 };
	static char octets[HOP_HEAD_MOST + 10];

	memset(octets, 'a', sizeof(octets));
	hop_answer_feed_head(&a, (struct bytes){ octets, sizeof(octets) });
	ck_assert_uint_eq(a.state, HOP_ANSWER_BAD);
	hop_answer_fini(&a);
}
END_TEST

START_TEST(a_trailer_or_an_extension_that_is_too_long_is_bad)
{
	struct buf text = BUF_INIT;
	struct answered a;

	for (int trailer = 0; trailer < 2; trailer++) {
		ck_assert_int_eq(buf_add_str(&text, trailer ? CHUNKED "0\r\nA: " : CHUNKED "1;a="), 0);
		for (int i = 0; i < 9000; i++)
			ck_assert_int_eq(buf_add(&text, "a", 1), 0);
		ck_assert_int_eq(buf_add_str(&text, "\r\n"), 0);
		for (size_t step = 1; step < 20000; step *= 10) {
			a = play((struct bytes){ buf_data(&text), buf_len(&text) }, step, step);
			ck_assert_uint_eq(a.answer.state, HOP_ANSWER_BAD);
			answered_fini(&a);
		}
		buf_clear(&text);
	}
	buf_fini(&text);
}
END_TEST

START_TEST(without_memory_an_answer_is_bad)
{
	struct hop_answer a = { 0 };

	mem_fail_at(1);
	hop_answer_feed_head(&a, BYTES("HTTP/1.1 204 No\r\n\r\n"));
	mem_fail_at(0);
	ck_assert_uint_eq(a.state, HOP_ANSWER_BAD);
	hop_answer_fini(&a);
}
END_TEST

/* --- all --------------------------------------------------------------------------------------------------- */

static void add_gateways(Suite *suite)
{
	TCase *tc = group(suite, "gateways", NULL, NULL);

	tcase_add_test(tc, scores_are_what_all_gateways_have_agreed_on);
	tcase_add_test(tc, prefix_and_id_are_not_taken_for_two_others);
	tcase_add_test(tc, all_gateways_have_even_shares);
	tcase_add_test(tc, one_that_goes_moves_its_own_share_alone);
	tcase_add_test(tc, a_card_comes_back_as_it_went);
	tcase_add_test(tc, the_longest_card_comes_back_too);
	tcase_add_test(tc, an_address_of_ipv6_is_in_brackets);
	tcase_add_test(tc, words_of_a_later_version_are_skipped);
	tcase_add_test(tc, who_does_not_say_where_he_is_or_his_secret_is_none);
	tcase_add_loop_test(tc, a_word_that_is_malformed_spoils_the_card, 0, sizeof(bad_words) / sizeof(*bad_words));
	tcase_add_test(tc, octets_of_every_kind_are_no_card);
	tcase_add_test(tc, who_drains_or_may_not_be_owns_nothing);
	tcase_add_test(tc, where_all_drain_it_is_ours);
	tcase_add_test(tc, a_view_is_the_same_whatever_the_order);
	tcase_add_test(tc, gateways_are_found_by_id_and_address);
}

static void add_whereabouts(Suite *suite)
{
	TCase *tc = group(suite, "whereabouts", NULL, NULL);

	tcase_add_test(tc, what_was_noted_last_is_found);
	tcase_add_test(tc, what_was_not_used_for_longest_is_forgotten);
	tcase_add_test(tc, threads_may_use_it_at_once);
	tcase_add_test(tc, without_memory_nothing_is_noted_and_nothing_lost);
}

static void add_requests(Suite *suite)
{
	TCase *tc = group(suite, "requests", request_setup, request_teardown);

	tcase_add_test(tc, a_request_goes_on_as_it_came);
	tcase_add_test(tc, a_body_of_chunks_becomes_one_of_known_length);
	tcase_add_test(tc, an_old_client_is_passed_on_as_such);
	tcase_add_test(tc, what_is_between_two_ends_stays_there);
	tcase_add_test(tc, our_own_header_from_a_client_is_dropped);
	tcase_add_test(tc, whose_it_is_comes_as_it_went);
	tcase_add_test(tc, every_kind_of_address_comes_as_it_went);
	tc = group(suite, "clients", NULL, NULL);
	tcase_add_test(tc, who_does_not_know_the_secret_is_not_believed);
	tcase_add_test(tc, what_is_malformed_behind_the_secret_is_not_believed);
}

static void add_answers(Suite *suite)
{
	TCase *tc = group(suite, "answers", NULL, NULL);

	tcase_add_test(tc, a_body_of_known_length_ends_with_it);
	tcase_add_test(tc, a_chunked_body_passes_as_it_is);
	tcase_add_test(tc, a_chunked_body_that_is_malformed_is_bad);
	tcase_add_test(tc, an_answer_may_end_with_its_connection);
	tcase_add_test(tc, some_answers_have_no_body);
	tcase_add_test(tc, what_is_between_gateways_is_left_out);
	tcase_add_test(tc, who_is_not_to_ask_again_is_told);
	tcase_add_loop_test(tc, a_head_that_is_malformed_is_bad, 0, sizeof(bad_heads) / sizeof(*bad_heads));
	tcase_add_test(tc, a_head_that_is_too_long_is_bad);
	tcase_add_test(tc, a_head_that_fills_all_its_room_is_bad_at_once);
	tcase_add_test(tc, a_trailer_or_an_extension_that_is_too_long_is_bad);
	tcase_add_test(tc, without_memory_an_answer_is_bad);
}

int main(void)
{
	Suite *suite = suite_create("cluster");

	add_gateways(suite);
	add_whereabouts(suite);
	add_requests(suite);
	add_answers(suite);
	return run_groups(suite);
}
