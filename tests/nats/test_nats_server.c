/*
 * tests/nats/test_nats_server.c - our client and the real nats-server: logins, TLS, clusters, and
 * what JetStream keeps through a kill -9.
 *
 * Without nats-server there is nothing to test (77).
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "nats/nats_fetch.h"
#include "nats/nats_stream.h"
#include "nats/nats_work.h"
#include "tests/certificate.h"
#include "tests/nats/server.h"

#define JETSTREAM "jetstream { store_dir: \"%s/js\" }\n"
#define SEED      "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
#define PUBLIC    "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"

enum { SERVERS = 3, PATIENCE_MS = 15000, MESSAGES = 20000, WINDOW = 200 };

static struct nats_test_server servers[SERVERS];
static struct loop *loop;
static struct resolver *resolver;

/* --- clients ------------------------------------------------------------------------ */

struct user {
	struct nats_client *client;
	struct nats_options options;
	struct nats_server address;
	unsigned up, down, trouble, messages, refused, replies;
	char why[320], last[300];
	int err;
	uint64_t sequence, last_sequence; /* of what was republished */
};

static struct user a, b;

static void on_up(struct nats_client *c, void *arg)
{
	(void)c;
	((struct user *)arg)->up++;
}

static void on_down(struct nats_client *c, const char *why, void *arg)
{
	struct user *u = arg;

	(void)c;
	u->down++;
	snprintf(u->why, sizeof(u->why), "%s", why);
}

static void on_trouble(struct nats_client *c, const char *server, const char *why, void *arg)
{
	struct user *u = arg;

	(void)c, (void)server;
	u->trouble++;
	snprintf(u->why, sizeof(u->why), "%s", why);
}

static const struct nats_client_events events = { .up = on_up, .down = on_down, .trouble = on_trouble };

static uint64_t number_of(struct bytes value)
{
	uint64_t n = 0;

	return value.p && nats_parse_number(value, &n) ? n : 0;
}

static void on_message(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	struct user *u = arg;

	(void)s;
	if (!m) {
		u->refused++;
		return;
	}
	u->messages++;
	u->sequence = number_of(nats_headers_get(m->headers, NATS_SEQUENCE));
	u->last_sequence = number_of(nats_headers_get(m->headers, NATS_LAST_SEQUENCE));
	snprintf(u->last, sizeof(u->last), "%.*s", (int)m->payload.n, m->payload.p);
}

static void turns(unsigned ms)
{
	uint64_t end = clock_now() + ms;

	while (clock_now() < end)
		ck_assert_int_eq(loop_turn(loop, 10), 0);
}

static void wait_for(const unsigned *count, unsigned n)
{
	uint64_t end = clock_now() + PATIENCE_MS;

	while (*count < n && clock_now() < end)
		ck_assert_int_eq(loop_turn(loop, 10), 0);
	ck_assert_uint_ge(*count, n);
}

static void connect_to(struct user *u, int i)
{
	char why[320] = "";

	u->address = (struct nats_server){ "127.0.0.1", (uint16_t)servers[i].port };
	u->options.servers = &u->address;
	u->options.server_count = 1;
	u->options.retry_ms = 20;
	u->options.retry_max_ms = 200;
	ck_assert_msg(nats_client_new(&u->client, loop, resolver, &u->options, &events, u, why,
	                  sizeof(why)) == 0,
	    "%s", why);
}

static void come_up(struct user *u, int i)
{
	connect_to(u, i);
	wait_for(&u->up, 1);
}

static struct nats_subscription *subscribe(struct user *u, const char *subject, const char *queue)
{
	struct nats_subscription *s;

	ck_assert_int_eq(nats_subscribe(u->client, &s, subject, queue, on_message, u), 0);
	return s;
}

static void on_flushed(struct nats_flush *f, int err)
{
	(void)f;
	ck_assert_int_eq(err, 0);
}

/* All that u has said has been heard. */
static void settle(struct user *u)
{
	struct nats_flush f = { .done = NULL };
	uint64_t end = clock_now() + PATIENCE_MS;

	ck_assert_int_eq(nats_flush(u->client, &f, on_flushed), 0);
	while (f.done && clock_now() < end)
		loop_turn(loop, 10);
	ck_assert(!f.done);
}

static void publish(struct user *u, const char *subject, const char *payload)
{
	struct nats_message m = { .subject = bytes_of(subject), .payload = bytes_of(payload) };

	ck_assert_int_eq(nats_publish(u->client, &m), 0);
}

static void setup(void)
{
	memset(servers, 0, sizeof(servers));
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	ck_assert_int_eq(loop_new(&loop), 0);
	loop_turn(loop, 0);
	ck_assert_int_eq(resolver_new(&resolver, loop, NULL), 0);
}

static void teardown(void)
{
	nats_client_free(a.client);
	nats_client_free(b.client);
	resolver_free(resolver);
	loop_free(loop);
	for (int i = 0; i < SERVERS; i++)
		nats_server_fini(&servers[i]);
}

static void start(const char *config)
{
	nats_server_init(&servers[0], "%s", config);
	nats_server_start(&servers[0]);
}

static void start_jetstream(void)
{
	nats_server_init(&servers[0], "%s", "");
	snprintf(servers[0].config, sizeof(servers[0].config), JETSTREAM, servers[0].dir);
	nats_server_start(&servers[0]);
}

/* --- core --------------------------------------------------------------------------- */

START_TEST(what_one_says_the_other_hears)
{
	start("");
	come_up(&a, 0);
	come_up(&b, 0);
	subscribe(&a, "x.*", NULL);
	subscribe(&b, "x.>", NULL);
	settle(&a);
	settle(&b);
	publish(&a, "x.1", "hello");
	wait_for(&b.messages, 1);
	ck_assert_str_eq(b.last, "hello");
	settle(&a);
	ck_assert_uint_eq(a.messages, 0); /* no echo */
}
END_TEST

START_TEST(a_queue_group_shares)
{
	start("");
	a.options.echo = true;
	come_up(&a, 0);
	come_up(&b, 0);
	subscribe(&a, "x", "q");
	subscribe(&b, "x", "q");
	settle(&a);
	settle(&b);
	for (int i = 0; i < 200; i++)
		publish(&a, "x", "1");
	settle(&a);
	settle(&b);
	ck_assert_uint_eq(a.messages + b.messages, 200);
	ck_assert_uint_ge(a.messages, 20);
	ck_assert_uint_ge(b.messages, 20);
}
END_TEST

static void on_reply(struct nats_request *r, int err, const struct nats_event *m)
{
	(void)r;
	a.replies++;
	a.err = err;
	snprintf(a.last, sizeof(a.last), "%.*s", m ? (int)m->payload.n : 0, m ? m->payload.p : "");
}

static void on_question(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	struct nats_message answer = { .subject = m->reply, .payload = m->payload };

	(void)s, (void)arg;
	ck_assert_int_eq(nats_publish(b.client, &answer), 0);
}

START_TEST(a_request_is_answered_or_nobody_is_there)
{
	struct nats_request r = { .client = NULL };
	struct nats_message m = { .subject = BYTES("service"), .payload = BYTES("?") };
	struct nats_subscription *s;

	start("");
	come_up(&a, 0);
	come_up(&b, 0);
	ck_assert_int_eq(nats_request(a.client, &r, &m, 5000, on_reply), 0);
	wait_for(&a.replies, 1);
	ck_assert_int_eq(a.err, -EHOSTUNREACH);
	ck_assert_int_eq(nats_subscribe(b.client, &s, "service", NULL, on_question, NULL), 0);
	settle(&b);
	ck_assert_int_eq(nats_request(a.client, &r, &m, 5000, on_reply), 0);
	wait_for(&a.replies, 2);
	ck_assert_int_eq(a.err, 0);
	ck_assert_str_eq(a.last, "?");
}
END_TEST

START_TEST(a_server_that_is_killed_is_found_again_and_subscriptions_with_it)
{
	start("");
	a.options.held_bytes = 10000;
	come_up(&a, 0);
	come_up(&b, 0);
	subscribe(&b, "x", NULL);
	settle(&b);
	nats_server_end(&servers[0], SIGKILL);
	wait_for(&a.down, 1);
	wait_for(&b.down, 1);
	nats_server_start(&servers[0]);
	wait_for(&b.up, 2);
	settle(&b);
	if (!nats_client_is_up(a.client))
		publish(&a, "x", "held");
	wait_for(&a.up, 2);
	publish(&a, "x", "hello");
	wait_for(&b.messages, 1);
	settle(&a);
	settle(&b);
	ck_assert_str_eq(b.last, "hello");
}
END_TEST

START_TEST(a_server_that_sleeps_is_noticed)
{
	start("");
	a.options.ping_interval_ms = 100;
	come_up(&a, 0);
	turns(400);
	ck_assert_uint_eq(a.down, 0);
	kill(servers[0].pid, SIGSTOP);
	wait_for(&a.down, 1);
	ck_assert_str_eq(a.why, "it does not answer our pings");
	kill(servers[0].pid, SIGCONT);
	wait_for(&a.up, 2);
}
END_TEST

/* --- logins ------------------------------------------------------------------------- */

START_TEST(each_kind_of_login_is_accepted_and_a_wrong_one_is_not)
{
	static const char *const configs[] = {
		"authorization { user: u, password: p }",
		"authorization { token: t }",
		"authorization { users: [ { nkey: " PUBLIC " } ] }",
	};
	static const struct nats_login wrong[] = { { .user = "u", .password = "x" },
		{ .token = "x" }, { .user = "u", .password = "p" } };
	char path[80];
	FILE *f;

	start(configs[_i]);
	snprintf(path, sizeof(path), "%s/seed", servers[0].dir);
	f = fopen(path, "w");
	fprintf(f, "%s\n", SEED);
	fclose(f);
	a.options.login = _i == 0   ? (struct nats_login){ .user = "u", .password = "p" }
	                  : _i == 1 ? (struct nats_login){ .token = "t" }
	                            : (struct nats_login){ .seed_file = path };
	b.options.login = wrong[_i];
	come_up(&a, 0);
	connect_to(&b, 0);
	wait_for(&b.trouble, 2);
	ck_assert_str_eq(b.why, "Authorization Violation");
	ck_assert_uint_eq(b.up, 0);
}
END_TEST

START_TEST(a_file_of_credentials_is_accepted)
{
	char command[300], creds[100], line[200];
	const char *source = getenv("srcdir");

	nats_server_init(&servers[0], "%s", "");
	snprintf(command, sizeof(command), "node '%s/tests/nats/credentials.mjs' '%s'",
	    source ? source : ".", servers[0].dir);
	if (system(command) != 0)
		return; /* no node here */
	snprintf(servers[0].config, sizeof(servers[0].config), "include \"jwt.conf\"");
	nats_server_start(&servers[0]);
	snprintf(creds, sizeof(creds), "%s/user.creds", servers[0].dir);
	a.options.login.creds_file = creds;
	come_up(&a, 0);
	settle(&a);
	/* another one's key under that JWT */
	snprintf(line, sizeof(line), "sed -i 's/^SU.*/" SEED "/' '%s'", creds);
	ck_assert_int_eq(system(line), 0);
	b.options.login.creds_file = creds;
	connect_to(&b, 0);
	wait_for(&b.trouble, 1);
	ck_assert_str_eq(b.why, "Authorization Violation");
}
END_TEST

START_TEST(what_is_not_permitted_is_told_to_who_asked)
{
	struct nats_request r = { .client = NULL };
	struct nats_message m = { .subject = BYTES("secret.a") };

	start("authorization { users: [ { user: u, password: p, permissions: { "
	      "publish: [\"open.>\"], subscribe: [\"open.>\", \"_INBOX.>\"] } } ] }");
	a.options.login = (struct nats_login){ .user = "u", .password = "p" };
	a.options.echo = true;
	come_up(&a, 0);
	subscribe(&a, "secret.>", NULL);
	wait_for(&a.refused, 1);
	subscribe(&a, "open.a", NULL);
	ck_assert_int_eq(nats_request(a.client, &r, &m, 5000, on_reply), 0);
	wait_for(&a.replies, 1);
	ck_assert_int_eq(a.err, -EACCES);
	publish(&a, "open.a", "x");
	wait_for(&a.messages, 1);
	ck_assert_uint_eq(a.down, 0);
}
END_TEST

/* --- TLS ---------------------------------------------------------------------------- */

START_TEST(tls_follows_info_and_names_are_verified)
{
	char pem[80], key[80], why[256];
	struct tls_client_options tls = { .ca_file = pem };
	struct certificate_wish wish = {
		.subject = "n", .names = "DNS:nats.test", .ends_in = 3600
	};

	nats_server_init(&servers[0], "%s", "");
	snprintf(pem, sizeof(pem), "%s/pem", servers[0].dir);
	snprintf(key, sizeof(key), "%s/key", servers[0].dir);
	ck_assert(certificate_write_as(&wish, pem, key));
	snprintf(servers[0].config, sizeof(servers[0].config),
	    "tls { cert_file: \"%s\", key_file: \"%s\" }", pem, key);
	nats_server_start(&servers[0]);
	a.options.tls = b.options.tls = tls_client_context_new(&tls, why, sizeof(why));
	ck_assert_ptr_nonnull(a.options.tls);
	a.options.tls_host = "nats.test";
	a.options.tls_required = true;
	come_up(&a, 0);
	settle(&a);
	connect_to(&b, 0); /* 127.0.0.1 is not in it */
	wait_for(&b.trouble, 1);
	ck_assert_ptr_nonnull(strstr(b.why, "TLS: "));
	nats_client_free(a.client);
	nats_client_free(b.client);
	a.client = b.client = NULL;
	turns(20);
	tls_context_free(a.options.tls);
}
END_TEST

/* --- clusters ----------------------------------------------------------------------- */

static void start_cluster(bool has_jetstream)
{
	char js[200] = "";

	for (int i = 0; i < SERVERS; i++)
		nats_server_init(&servers[i], "%s", "");
	for (int i = 0; i < SERVERS; i++) {
		struct nats_test_server *s = &servers[i];

		if (has_jetstream)
			snprintf(js, sizeof(js), JETSTREAM, s->dir);
		snprintf(s->config, sizeof(s->config),
		    "server_name: n%d\nlame_duck_duration: \"30s\"\nlame_duck_grace_period: "
		    "\"1s\"\n"
		    "%scluster { name: c, listen: \"127.0.0.1:%u\", routes: [ nats://127.0.0.1:%u, "
		    "nats://127.0.0.1:%u, nats://127.0.0.1:%u ] }",
		    i, js, s->cluster_port, servers[0].cluster_port, servers[1].cluster_port,
		    servers[2].cluster_port);
	}
	for (int i = 0; i < SERVERS; i++)
		nats_server_start(&servers[i]);
	turns(1500); /* until they know each other */
}

START_TEST(a_cluster_tells_of_its_members_and_one_that_goes_is_replaced)
{
	start_cluster(false);
	come_up(&a, 0);
	come_up(&b, 1);
	subscribe(&a, "x", NULL);
	settle(&a);
	if (_i) { /* lame duck: it says that it will go */
		kill(servers[0].pid, SIGUSR2);
		wait_for(&a.up, 2);
		ck_assert_str_eq(a.why, "the server is about to stop");
	} else {
		nats_server_end(&servers[0], SIGKILL);
		wait_for(&a.up, 2);
	}
	settle(&a);
	turns(300); /* interest spreads */
	publish(&b, "x", "hello");
	wait_for(&a.messages, 1);
}
END_TEST

/* --- streams ------------------------------------------------------------------------ */

static struct {
	unsigned done;
	int err;
	char why[300];
} call_result;

static void on_call(struct nats_stream_call *call, int err, const char *why)
{
	(void)call;
	call_result.done++;
	call_result.err = err;
	snprintf(call_result.why, sizeof(call_result.why), "%s", why);
}

static int ensure(const struct nats_stream_config *config)
{
	struct nats_stream_call call = { .done = NULL };
	unsigned before = call_result.done;

	ck_assert_int_eq(nats_stream_ensure(a.client, &call, config, 5000, on_call), 0);
	wait_for(&call_result.done, before + 1);
	return call_result.err;
}

static uint64_t last_of(const char *subject)
{
	struct nats_stream_call call = { .done = NULL };
	unsigned before = call_result.done;

	ck_assert_int_eq(nats_stream_last(a.client, &call, "S", subject, 5000, on_call), 0);
	wait_for(&call_result.done, before + 1);
	ck_assert_msg(call_result.err == 0, "%s", call_result.why);
	return call.sequence;
}

static const char *const subjects[] = { "in.>" };
static const struct nats_stream_config plain = {
	.name = "S",
	.subjects = subjects,
	.subject_count = 1,
	.republish_from = "in.>",
	.republish_to = "live.>",
	.max_messages_per_subject = 1000000,
	.max_age_ms = 3600000,
	.duplicate_window_ms = 60000,
};

static struct {
	unsigned done, duplicates;
	int err;
	char why[200];
	uint64_t sequence;
} stored;

static void on_stored(
    struct nats_store *s, int err, const char *why, const struct nats_stored *what)
{
	(void)s;
	stored.done++;
	stored.err = err;
	snprintf(stored.why, sizeof(stored.why), "%s", why);
	stored.sequence = what ? what->sequence : 0;
	stored.duplicates += what && what->is_duplicate;
}

static int store(const char *subject, const char *payload, const char *name, const char *value)
{
	struct nats_header header = { bytes_of(name), bytes_of(value) };
	struct nats_message m = { bytes_of(subject), { NULL, 0 }, &header, name != NULL,
		bytes_of(payload) };
	struct nats_store s = { .done = NULL };
	unsigned before = stored.done;

	ck_assert_int_eq(nats_stream_publish(a.client, &s, &m, 5000, on_stored), 0);
	wait_for(&stored.done, before + 1);
	return stored.err;
}

static int store_large(const char *subject)
{
	static char text[500001];

	memset(text, 'x', sizeof(text) - 1);
	return store(subject, text, NULL, NULL);
}

START_TEST(a_stream_is_made_found_and_changed)
{
	struct nats_stream_config other = plain, strange = plain;

	start_jetstream();
	come_up(&a, 0);
	ck_assert_int_eq(store("in.a", "x", NULL, NULL), -EHOSTUNREACH);
	ck_assert_msg(ensure(&plain) == 0, "%s", call_result.why);
	ck_assert_msg(ensure(&plain) == 0, "%s", call_result.why);
	other.max_age_ms = 7200000;
	other.max_messages_per_subject = 2;
	ck_assert_msg(ensure(&other) == 0, "%s", call_result.why);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(store("in.a", "x", NULL, NULL), 0);
	ck_assert_uint_eq(last_of("in.a"), 5);
	ck_assert_uint_eq(last_of("in.b"), 0);
	ck_assert_int_eq(store_large("in.b"), 0);
	ck_assert_uint_eq(last_of("in.b"), 6);
	strange.name = "T"; /* somebody has these subjects already */
	ck_assert_int_eq(ensure(&strange), -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(call_result.why, "subjects overlap"));
	strange.name = "a.b";
	ck_assert_int_eq(nats_stream_ensure(a.client, &(struct nats_stream_call){ .done = NULL },
	                     &strange, 1, on_call),
	    -EINVAL);
}
END_TEST

START_TEST(what_is_stored_is_published_with_its_sequence)
{
	start_jetstream();
	come_up(&a, 0);
	come_up(&b, 0);
	ck_assert_int_eq(ensure(&plain), 0);
	subscribe(&b, "live.a", NULL);
	settle(&b);
	ck_assert_int_eq(store("in.a", "one", NULL, NULL), 0);
	ck_assert_int_eq(store("in.b", "two", NULL, NULL), 0);
	ck_assert_int_eq(store("in.a", "three", NULL, NULL), 0);
	wait_for(&b.messages, 2);
	ck_assert_str_eq(b.last, "three");
	ck_assert_uint_eq(b.sequence, 3);
	ck_assert_uint_eq(b.last_sequence, 1);
}
END_TEST

START_TEST(what_was_said_twice_is_stored_once_and_expectations_are_kept)
{
	start_jetstream();
	come_up(&a, 0);
	ck_assert_int_eq(ensure(&plain), 0);
	ck_assert_int_eq(store("in.a", "x", NATS_MSG_ID, "1"), 0);
	ck_assert_int_eq(store("in.a", "x", NATS_MSG_ID, "1"), 0);
	ck_assert_uint_eq(stored.duplicates, 1);
	ck_assert_uint_eq(stored.sequence, 1);
	ck_assert_int_eq(store("in.a", "x", NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "1"), 0);
	ck_assert_int_eq(store("in.a", "x", NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "1"), -ESTALE);
	ck_assert_int_eq(store("in.a", "x", NATS_EXPECTED_STREAM, "other"), -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(stored.why, "stream"));
}
END_TEST

/* --- fetching ----------------------------------------------------------------------- */

static struct {
	unsigned done, n;
	int err;
	char why[200];
	uint64_t first, last, left;
	bool in_order;
} fetched;

static void on_fetched(
    struct nats_fetch *f, const struct nats_event *m, const struct nats_delivery *d)
{
	char expected[16];

	(void)f;
	snprintf(expected, sizeof(expected), "%llu", (unsigned long long)d->sequence);
	ck_assert(bytes_equal(m->payload, bytes_of(expected)));
	fetched.in_order &= d->sequence > fetched.last;
	if (fetched.n++ == 0)
		fetched.first = d->sequence;
	fetched.last = d->sequence;
}

static void on_fetch_done(struct nats_fetch *f, int err, const char *why, uint64_t left)
{
	(void)f;
	fetched.done++;
	fetched.err = err;
	fetched.left = left;
	snprintf(fetched.why, sizeof(fetched.why), "%s", why);
}

static const struct nats_fetch_events fetch_events = { on_fetched, on_fetch_done };

static void fetch(const char *subject, uint64_t from, size_t max, size_t bytes)
{
	struct nats_fetch_options o = { "S", subject, from, max, bytes, 5000 };
	struct nats_fetch f = { .stream = NULL };

	memset(&fetched, 0, sizeof(fetched));
	fetched.in_order = true;
	ck_assert_int_eq(nats_fetch_start(a.client, &f, &o, &fetch_events), 0);
	wait_for(&fetched.done, 1);
	ck_assert(fetched.in_order);
}

START_TEST(a_gap_is_filled_from_a_sequence_within_bounds)
{
	char payload[16];

	start_jetstream();
	come_up(&a, 0);
	ck_assert_int_eq(ensure(&plain), 0);
	for (int i = 1; i <= 100; i++) {
		snprintf(payload, sizeof(payload), "%d", i);
		ck_assert_int_eq(store(i % 2 ? "in.odd" : "in.even", payload, NULL, NULL), 0);
	}
	fetch("in.odd", 0, 1000, 1000000);
	ck_assert_msg(fetched.err == 0, "%s", fetched.why);
	ck_assert_uint_eq(fetched.n, 50);
	ck_assert_uint_eq(fetched.first, 1);
	ck_assert_uint_eq(fetched.last, 99);
	fetch("in.odd", 50, 10, 1000000);
	ck_assert_uint_eq(fetched.n, 10);
	ck_assert_uint_eq(fetched.first, 51);
	ck_assert_uint_eq(fetched.left, 15);
	fetch("in.odd", 100, 10, 1000000);
	ck_assert_uint_eq(fetched.n, 0);
	ck_assert_int_eq(fetched.err, 0);
	fetch("in.>", 1, 1000, 500); /* octets */
	ck_assert_int_eq(fetched.err, 0);
	ck_assert_uint_ge(fetched.n, 1);
	ck_assert_uint_le(fetched.n, 50);
	ck_assert_uint_eq(fetched.n + fetched.left, 100);
	fetch("in.>", 1, 1000, 1);
	ck_assert_int_eq(fetched.err, -EMSGSIZE);
	ck_assert_uint_eq(fetched.n, 0);
	fetch("other", 1, 10, 1000);
	ck_assert_uint_eq(fetched.n, 0);
}
END_TEST

START_TEST(a_fetch_from_no_stream_fails_and_one_may_be_cancelled_at_any_moment)
{
	struct nats_fetch_options o = { "S", "in.>", 1, 100, 100000, 5000 };
	struct nats_fetch f = { .stream = NULL };
	unsigned done, n;
	char payload[16];

	start_jetstream();
	come_up(&a, 0);
	fetch("in.>", 1, 10, 1000);
	ck_assert_int_eq(fetched.err, -ENOENT);
	ck_assert_int_eq(ensure(&plain), 0);
	for (int i = 1; i <= 20; i++) {
		snprintf(payload, sizeof(payload), "%d", i);
		ck_assert_int_eq(store("in.a", payload, NULL, NULL), 0);
	}
	for (int i = 0; i < 30; i++) {
		memset(&fetched, 0, sizeof(fetched));
		ck_assert_int_eq(nats_fetch_start(a.client, &f, &o, &fetch_events), 0);
		for (int k = 0; k < i; k++)
			loop_turn(loop, k % 2);
		done = fetched.done;
		n = fetched.n;
		nats_fetch_cancel(&f);
		turns(i % 3);
		ck_assert_uint_eq(fetched.done, done);
		ck_assert_uint_eq(fetched.n, n);
	}
}
END_TEST

/* Each allocation fails once, while it stores and fetches; afterwards all is well. */
START_TEST(memory_that_is_out_is_told_and_the_next_call_is_well)
{
	struct nats_fetch_options o = { "S", "in.a", 1, 100, 100000, 5000 };
	unsigned long nth = 0;
	int has_failed = 1;

	start_jetstream();
	come_up(&a, 0);
	ck_assert_int_eq(ensure(&plain), 0);
	ck_assert_int_eq(store("in.a", "1", NULL, NULL), 0);
	while (has_failed && nth < 100) {
		struct nats_message m = { .subject = BYTES("in.b"), .payload = BYTES("x") };
		struct nats_store s = { .done = NULL };
		struct nats_fetch f = { .stream = NULL };

		memset(&fetched, 0, sizeof(fetched));
		stored.done = 0;
		mem_fail_at(++nth);
		if (nats_stream_publish(a.client, &s, &m, 5000, on_stored) == 0)
			wait_for(&stored.done, 1);
		if (nats_fetch_start(a.client, &f, &o, &fetch_events) == 0)
			wait_for(&fetched.done, 1);
		has_failed = mem_failed();
		mem_fail_at(0);
		for (int i = 0; i < 500 && !nats_client_is_up(a.client); i++)
			turns(10);
		fetch("in.a", 1, 100, 100000);
		ck_assert_uint_eq(fetched.n, 1);
	}
	ck_assert_uint_ge(nth, 3);
	ck_assert_uint_lt(nth, 100);
}
END_TEST

/* --- work --------------------------------------------------------------------------- */

struct worker {
	struct nats_work work;
	struct user *user;
	unsigned messages, again, trouble;
	char last[64], why[320];
	int answer; /* enum nats_answer; -1: none */
};

static struct worker one, two;

static void on_work(struct nats_work *w, const struct nats_event *m, const struct nats_delivery *d)
{
	struct worker *worker = container_of(w, struct worker, work);

	worker->messages++;
	worker->again += d->delivered > 1;
	snprintf(worker->last, sizeof(worker->last), "%.*s", (int)m->payload.n, m->payload.p);
	if (worker->answer >= 0)
		ck_assert_int_eq(nats_answer(worker->user->client, m->reply,
		                     (enum nats_answer)worker->answer, 20),
		    0);
	nats_work_take(w, 1);
}

static void on_work_trouble(struct nats_work *w, const char *why)
{
	struct worker *worker = container_of(w, struct worker, work);

	worker->trouble++;
	snprintf(worker->why, sizeof(worker->why), "%s", why);
}

static const struct nats_work_events work_events = { on_work, on_work_trouble };
static const char *const jobs[] = { "job.>" };
static const struct nats_stream_config queue = {
	.name = "Q", .subjects = jobs, .subject_count = 1, .is_work_queue = true
};
static const struct nats_work_options work_options = {
	.stream = "Q", .consumer = "workers", .ack_wait_ms = 500, .pull_ms = 1000, .max_deliver = 5
};

static void start_work(struct worker *w, struct user *u, int answer, unsigned credit)
{
	memset(w, 0, sizeof(*w));
	w->user = u;
	w->answer = answer;
	ck_assert_int_eq(nats_work_start(u->client, &w->work, &work_options, &work_events), 0);
	nats_work_take(&w->work, credit);
}

static void start_queue(void)
{
	start_jetstream();
	come_up(&a, 0);
	come_up(&b, 0);
	ck_assert_msg(ensure(&queue) == 0, "%s", call_result.why);
}

START_TEST(work_is_shared_and_what_is_done_does_not_come_again)
{
	start_queue();
	start_work(&one, &a, NATS_ACK, 5);
	start_work(&two, &b, NATS_ACK, 5);
	turns(100);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(store("job.a", "x", NULL, NULL), 0);
	for (int i = 0; i < 500 && one.messages + two.messages < 100; i++)
		turns(10);
	turns(1500); /* beyond ack_wait, and the time of a question */
	ck_assert_uint_eq(one.messages + two.messages, 100);
	ck_assert_uint_ge(one.messages, 10);
	ck_assert_uint_ge(two.messages, 10);
	ck_assert_uint_eq(one.trouble + two.trouble, 0);
	nats_work_stop(&one.work);
	nats_work_stop(&two.work);
}
END_TEST

START_TEST(no_more_comes_than_can_be_taken)
{
	start_queue();
	memset(&one, 0, sizeof(one));
	one.user = &a;
	one.answer = -1;
	nats_work_start(a.client, &one.work, &work_options, &work_events);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(store("job.a", "x", NULL, NULL), 0);
	turns(200);
	ck_assert_uint_eq(one.messages, 0);
	nats_work_stop(&one.work);
}
END_TEST

START_TEST(what_is_refused_comes_again_and_what_is_given_up_does_not)
{
	static const int answers[] = { NATS_NAK, -1, NATS_TERM };

	start_queue();
	start_work(&one, &a, answers[_i], 1);
	ck_assert_int_eq(store("job.a", "x", NULL, NULL), 0);
	if (_i == 2) {
		wait_for(&one.messages, 1);
		turns(1500);
		ck_assert_uint_eq(one.messages, 1);
	} else {
		wait_for(&one.messages, 5); /* max_deliver */
		turns(1500);
		ck_assert_uint_eq(one.messages, 5);
	}
	nats_work_stop(&one.work);
}
END_TEST

START_TEST(work_goes_on_after_the_server_was_killed)
{
	start_queue();
	start_work(&one, &a, NATS_ACK, 10);
	ck_assert_int_eq(store("job.a", "before", NULL, NULL), 0);
	wait_for(&one.messages, 1);
	settle(&a);
	nats_server_end(&servers[0], SIGKILL);
	wait_for(&a.down, 1);
	nats_server_start(&servers[0]);
	wait_for(&a.up, 2);
	ck_assert_int_eq(store("job.a", "after", NULL, NULL), 0);
	for (int i = 0; i < 1000 && strcmp(one.last, "after") != 0; i++)
		turns(10);
	ck_assert_str_eq(one.last, "after");
	ck_assert_uint_ge(one.trouble, 1);
	nats_work_stop(&one.work);
}
END_TEST

/* --- through a kill -9 -------------------------------------------------------------- */

/* One message of many; its number is its Nats-Msg-Id. */
struct many {
	struct nats_store store;
	unsigned number;
	bool is_free;
};

static struct many many[WINDOW];
static unsigned next_number, acknowledged, again;
static unsigned retry[WINDOW], retry_n;

static void on_many(struct nats_store *s, int err, const char *why, const struct nats_stored *what)
{
	struct many *m = container_of(s, struct many, store);

	(void)why, (void)what;
	m->is_free = true;
	if (err == 0) {
		acknowledged++;
	} else {
		again++;
		retry[retry_n++] = m->number;
	}
}

static bool publish_number(struct many *m, unsigned number)
{
	char text[16];
	struct nats_header id = { BYTES(NATS_MSG_ID), { text, 0 } };
	struct nats_message message = {
		.subject = BYTES("in.a"), .headers = &id, .header_count = 1
	};

	snprintf(text, sizeof(text), "%u", number);
	id.value = message.payload = bytes_of(text);
	m->number = number;
	m->is_free = nats_stream_publish(a.client, &m->store, &message, 5000, on_many) < 0;
	return !m->is_free;
}

static void publish_what_fits(void)
{
	for (int i = 0; i < WINDOW; i++) {
		if (!many[i].is_free || (retry_n == 0 && next_number == MESSAGES))
			continue;
		if (retry_n > 0) {
			if (!publish_number(&many[i], retry[retry_n - 1]))
				return;
			retry_n--;
		} else {
			if (!publish_number(&many[i], next_number))
				return;
			next_number++;
		}
	}
}

static uint8_t seen[MESSAGES];
static unsigned distinct, twice;

static void on_each(struct nats_fetch *f, const struct nats_event *m, const struct nats_delivery *d)
{
	uint64_t n = MESSAGES;

	(void)f, (void)d;
	ck_assert(nats_parse_number(m->payload, &n) && n < MESSAGES);
	twice += seen[n];
	distinct += !seen[n];
	seen[n] = 1;
}

static const struct nats_fetch_events each_events = { on_each, on_fetch_done };

START_TEST(what_was_acknowledged_survives_kill_9_once)
{
	struct nats_fetch_options o = { "S", "in.a", 1, 2 * MESSAGES, 100000000, 10000 };
	struct nats_fetch f = { .stream = NULL };
	uint64_t end = clock_now() + 60000;
	unsigned kills = 0;

	start_jetstream();
	come_up(&a, 0);
	ck_assert_int_eq(ensure(&plain), 0);
	for (int i = 0; i < WINDOW; i++)
		many[i].is_free = true;
	while (acknowledged < MESSAGES && clock_now() < end) {
		publish_what_fits();
		loop_turn(loop, 10);
		if (kills < 2 && acknowledged > (kills + 1) * MESSAGES / 3) {
			nats_server_end(&servers[0], SIGKILL);
			nats_server_start(&servers[0]);
			kills++;
		}
	}
	ck_assert_uint_eq(acknowledged, MESSAGES);
	ck_assert_uint_eq(kills, 2);
	memset(&fetched, 0, sizeof(fetched));
	ck_assert_int_eq(nats_fetch_start(a.client, &f, &o, &each_events), 0);
	wait_for(&fetched.done, 1);
	ck_assert_msg(fetched.err == 0, "%s", fetched.why);
	printf("%u acknowledged, %u published again after %u kills: %u stored, %u of them twice\n",
	    acknowledged, again, kills, distinct + twice, twice);
	ck_assert_uint_eq(distinct, MESSAGES);
	ck_assert_uint_eq(twice, 0);
}
END_TEST

START_TEST(a_stream_of_three_replicas_survives_one_of_three)
{
	struct nats_stream_config config = plain;
	uint64_t end = clock_now() + 20000;
	int err = -EHOSTUNREACH;

	start_cluster(true);
	config.replicas = 3;
	come_up(&a, 0);
	while (err < 0 && clock_now() < end) { /* until there is a leader */
		err = ensure(&config);
		turns(200);
	}
	ck_assert_msg(err == 0, "%s", call_result.why);
	ck_assert_int_eq(store("in.a", "x", NATS_MSG_ID, "1"), 0);
	nats_server_end(&servers[0], SIGKILL);
	wait_for(&a.up, 2);
	for (err = -1; err < 0 && clock_now() < end;) {
		err = store("in.a", "x", NATS_MSG_ID, "2");
		turns(100);
	}
	ck_assert_msg(err == 0, "%s", stored.why);
	ck_assert_uint_eq(stored.sequence, 2);
	ck_assert_uint_eq(last_of("in.a"), 2);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, what_one_says_the_other_hears);
	tcase_add_test(tc, a_queue_group_shares);
	tcase_add_test(tc, a_request_is_answered_or_nobody_is_there);
	tcase_add_test(tc, a_server_that_is_killed_is_found_again_and_subscriptions_with_it);
	tcase_add_test(tc, a_server_that_sleeps_is_noticed);
	tcase_add_loop_test(tc, each_kind_of_login_is_accepted_and_a_wrong_one_is_not, 0, 3);
	tcase_add_test(tc, a_file_of_credentials_is_accepted);
	tcase_add_test(tc, what_is_not_permitted_is_told_to_who_asked);
	tcase_add_test(tc, tls_follows_info_and_names_are_verified);
	tcase_add_loop_test(tc, a_cluster_tells_of_its_members_and_one_that_goes_is_replaced, 0, 2);
	tcase_add_test(tc, a_stream_is_made_found_and_changed);
	tcase_add_test(tc, what_is_stored_is_published_with_its_sequence);
	tcase_add_test(tc, what_was_said_twice_is_stored_once_and_expectations_are_kept);
	tcase_add_test(tc, a_gap_is_filled_from_a_sequence_within_bounds);
	tcase_add_test(tc, a_fetch_from_no_stream_fails_and_one_may_be_cancelled_at_any_moment);
	tcase_add_test(tc, memory_that_is_out_is_told_and_the_next_call_is_well);
	tcase_add_test(tc, work_is_shared_and_what_is_done_does_not_come_again);
	tcase_add_test(tc, no_more_comes_than_can_be_taken);
	tcase_add_loop_test(tc, what_is_refused_comes_again_and_what_is_given_up_does_not, 0, 3);
	tcase_add_test(tc, work_goes_on_after_the_server_was_killed);
	tcase_add_test(tc, what_was_acknowledged_survives_kill_9_once);
	tcase_add_test(tc, a_stream_of_three_replicas_survives_one_of_three);
}

int main(void)
{
	Suite *suite = suite_create("nats_server");
	TCase *tc = tcase_create("server");
	SRunner *runner = srunner_create(suite);
	int bad;

	if (!nats_server_is_here())
		return 77;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
