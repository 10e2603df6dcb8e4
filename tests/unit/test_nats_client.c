/*
 * tests/unit/test_nats_client.c - a client of NATS, against servers on loopback that say what the
 * test wants. Time is the test's own.
 *
 * What a real server does is in tests/nats/.
 */
#include "nats/nats_client.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { STEP = 10, SERVERS = 2, PATIENCE = 3000, HEARD_MAX = 1 << 20, TURNS = 40 };

#define INFO "INFO {\"server_id\":\"x\",\"headers\":true,\"max_payload\":1000}\r\n"

static struct loop *loop;
static struct resolver *resolver;
static struct nats_client *client;
static struct nats_options options;
static struct nats_server addresses[SERVERS];
static uint64_t now;
static char conf_path[] = "/tmp/test_nats_client.XXXXXX";

/* --- servers ------------------------------------------------------------------------ */

static struct server {
	int listener, fd; /* -1: none */
	unsigned accepted;
	size_t heard_n;
	char heard[HEARD_MAX + 1];
	const char *info; /* what it says first */
	bool logs_in;     /* answers each PING */
	bool is_deaf;     /* does not read */
} servers[SERVERS];

static void say(int i, const char *text)
{
	ck_assert_int_ge(servers[i].fd, 0);
	ck_assert_int_eq(send(servers[i].fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

static void hang_up(int i)
{
	close(servers[i].fd);
	servers[i].fd = -1;
}

static void accept_one(struct server *s, int i)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->accepted++;
	s->heard_n = 0;
	if (s->info)
		say(i, s->info);
}

static void hear(struct server *s, int i)
{
	size_t before = s->heard_n;
	ssize_t n = recv(s->fd, s->heard + before, HEARD_MAX - before, 0);

	if (n == 0)
		hang_up(i);
	if (n <= 0)
		return;
	s->heard_n += (size_t)n;
	s->heard[s->heard_n] = '\0';
	if (s->logs_in && strstr(s->heard + (before > 5 ? before - 5 : 0), "PING\r\n"))
		say(i, "PONG\r\n");
}

static void serve(void)
{
	for (int i = 0; i < SERVERS; i++) {
		accept_one(&servers[i], i);
		if (servers[i].fd >= 0 && !servers[i].is_deaf)
			hear(&servers[i], i);
	}
}

static void open_server(int i)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	servers[i].listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	servers[i].fd = -1;
	servers[i].info = INFO;
	servers[i].logs_in = true;
	servers[i].is_deaf = false;
	servers[i].accepted = 0;
	servers[i].heard_n = 0;
	ck_assert_int_eq(bind(servers[i].listener, (void *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(servers[i].listener, 8), 0);
	ck_assert_int_eq(getsockname(servers[i].listener, (void *)&sa, &len), 0);
	addresses[i] = (struct nats_server){ "127.0.0.1", ntohs(sa.sin_port) };
}

/* --- the owner ---------------------------------------------------------------------- */

static struct {
	unsigned up, down, trouble, writable, messages, refused, replies, flushed;
	char why[320];
	char last[4096]; /* payloads */
	int err;
	bool calling;
	void (*upon)(void);
} owner;

static void called(void)
{
	ck_assert(!owner.calling);
	if (owner.upon)
		owner.upon();
}

static void on_up(struct nats_client *c, void *arg)
{
	(void)c;
	ck_assert_ptr_eq(arg, &owner);
	owner.up++;
	called();
}

static void on_down(struct nats_client *c, const char *why, void *arg)
{
	(void)c, (void)arg;
	owner.down++;
	snprintf(owner.why, sizeof(owner.why), "%s", why);
	called();
}

static void on_trouble(struct nats_client *c, const char *server, const char *why, void *arg)
{
	(void)c, (void)arg;
	ck_assert_int_eq(strncmp(server, "127.0.0.1:", 10), 0);
	owner.trouble++;
	snprintf(owner.why, sizeof(owner.why), "%s", why);
	called();
}

static void on_writable(struct nats_client *c, void *arg)
{
	(void)c, (void)arg;
	owner.writable++;
	called();
}

static const struct nats_client_events events = { on_up, on_down, on_trouble, on_writable };

static void on_message(struct nats_subscription *s, const struct nats_event *m, void *arg)
{
	size_t n = strlen(owner.last);

	(void)s, (void)arg;
	if (m) {
		owner.messages++;
		snprintf(owner.last + n, sizeof(owner.last) - n, "%.*s;", (int)m->payload.n,
		    m->payload.p);
	} else {
		owner.refused++;
	}
	called();
}

static void on_reply(struct nats_request *r, int err, const struct nats_event *reply)
{
	size_t n = strlen(owner.last);

	(void)r;
	owner.replies++;
	owner.err = err;
	ck_assert_int_eq(reply == NULL, err < 0);
	if (reply)
		snprintf(owner.last + n, sizeof(owner.last) - n, "%.*s;", (int)reply->payload.n,
		    reply->payload.p);
	called();
}

static void on_flushed(struct nats_flush *f, int err)
{
	(void)f;
	owner.flushed++;
	owner.err = err;
	called();
}

/* --- time --------------------------------------------------------------------------- */

static void turn(void)
{
	clock_set(now += STEP);
	ck_assert_int_eq(loop_turn(loop, 1), 0);
	serve();
}

static void turns(int n)
{
	while (n-- > 0)
		turn();
}

static void wait_for(const unsigned *count, unsigned n)
{
	for (int i = 0; *count < n && i < PATIENCE; i++)
		turn();
	ck_assert_uint_ge(*count, n);
}

static void wait_to_hear(int i, const char *text)
{
	for (int k = 0; !(servers[i].heard_n && strstr(servers[i].heard, text)) && k < PATIENCE;
	     k++)
		turn();
	ck_assert_msg(servers[i].heard_n && strstr(servers[i].heard, text), "%s not in: %.300s",
	    text, servers[i].heard);
}

/* --- beginnings --------------------------------------------------------------------- */

static void new_client(void)
{
	char why[256] = "";

	ck_assert_msg(nats_client_new(&client, loop, resolver, &options, &events, &owner, why,
	                  sizeof(why)) == 0,
	    "%s", why);
}

static void setup(void)
{
	struct resolver_options resolver_options = {
		.timeout_ms = 100, .tries = 1, .conf = conf_path
	};

	memset(&owner, 0, sizeof(owner));
	clock_set(now = 1000000);
	ck_assert_int_eq(loop_new(&loop), 0);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_int_eq(resolver_new(&resolver, loop, &resolver_options), 0);
	for (int i = 0; i < SERVERS; i++)
		open_server(i);
	options = (struct nats_options){
		.servers = addresses,
		.server_count = 1,
		.in_order = true,
		.connect_timeout_ms = 400,
		.retry_ms = 50,
		.retry_max_ms = 200,
		.ping_interval_ms = 1000,
	};
	client = NULL;
}

static void teardown(void)
{
	nats_client_free(client);
	resolver_free(resolver);
	for (int i = 0; i < SERVERS; i++) {
		close(servers[i].listener);
		if (servers[i].fd >= 0)
			hang_up(i);
	}
	loop_free(loop);
	clock_set(0);
}

static void come_up(void)
{
	new_client();
	wait_for(&owner.up, 1);
}

static struct nats_subscription *subscribe(const char *subject)
{
	struct nats_subscription *s = NULL;

	ck_assert_int_eq(nats_subscribe(client, &s, subject, NULL, on_message, NULL), 0);
	return s;
}

static int publish(const char *subject, const char *payload)
{
	struct nats_message m = { .subject = bytes_of(subject), .payload = bytes_of(payload) };
	int err;

	owner.calling = true;
	err = nats_publish(client, &m);
	owner.calling = false;
	return err;
}

static int ask(struct nats_request *r, const char *subject)
{
	struct nats_message m = { .subject = bytes_of(subject), .payload = BYTES("?") };

	return nats_request(client, r, &m, 500, on_reply);
}

/* The reply subject of the last request to this one. */
static const char *reply_subject(int i, const char *subject)
{
	static char reply[200];
	const char *at;

	wait_to_hear(i, subject);
	at = strstr(servers[i].heard, subject) + strlen(subject) + 1;
	snprintf(reply, sizeof(reply), "%.*s", (int)strcspn(at, " \r"), at);
	return reply;
}

/* The sid of the subscription whose line begins so. */
static unsigned sid_of(int i, const char *line)
{
	wait_to_hear(i, line);
	return (unsigned)strtoul(strstr(servers[i].heard, line) + strlen(line), NULL, 10);
}

/* Of the subscription that replies to this subject come to: all of them, or those of one request.
 */
static unsigned inbox_sid(int i, const char *reply)
{
	char line[300];

	if (strstr(reply, ".many."))
		snprintf(line, sizeof(line), "SUB %s ", reply);
	else
		snprintf(
		    line, sizeof(line), "SUB %.*s.* ", (int)(strrchr(reply, '.') - reply), reply);
	return sid_of(i, line);
}

/* Who replies to one that wants many may do so under another subject. */
static void answer(int i, const char *subject, const char *payload)
{
	char line[400];
	const char *reply = reply_subject(i, subject);
	unsigned sid = inbox_sid(i, reply);

	snprintf(line, sizeof(line), "MSG %s %u %zu\r\n%s\r\n",
	    strstr(reply, ".many.") ? "stored.elsewhere" : reply, sid, strlen(payload), payload);
	say(i, line);
}

/* --- connecting --------------------------------------------------------------------- */

START_TEST(a_login_follows_info_and_pong_makes_it_up)
{
	servers[0].logs_in = false;
	options.name = "a \"gateway\"";
	new_client();
	wait_to_hear(0, "PING\r\n");
	ck_assert_int_eq(strncmp(servers[0].heard, "CONNECT {", 9), 0);
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"verbose\":false"));
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"headers\":true"));
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"no_responders\":true"));
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"echo\":false"));
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"a \\\"gateway\\\"\""));
	ck_assert(!nats_client_is_up(client));
	say(0, "PONG\r\n");
	wait_for(&owner.up, 1);
	ck_assert(nats_client_is_up(client));
	ck_assert_uint_eq(owner.trouble, 0);
	turns(300);
	ck_assert_uint_eq(owner.up, 1);
}
END_TEST

START_TEST(each_login_says_who_we_are)
{
	char path[] = "/tmp/test_nats_client_key.XXXXXX";
	int fd = mkstemp(path);
	static const struct {
		struct nats_login login;
		const char *says;
	} table[] = {
		{ { .user = "u", .password = "p\n" }, "\"user\":\"u\",\"pass\":\"p\\n\"" },
		{ { .token = "t" }, "\"auth_token\":\"t\"" },
		{ { .seed_file = "" },
		    "\"nkey\":\"UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4\",\"sig\":"
		    "\"" },
		{ { .creds_file = "" }, "\"jwt\":\"a.b\",\"sig\":\"" },
	};

	dprintf(fd, "---\na.b\n---\n---\n");
	if (_i == 2)
		ck_assert_int_eq(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_END);
	dprintf(fd, "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n%s",
	    _i == 3 ? "---\n" : "");
	close(fd);
	servers[0].info = "INFO {\"nonce\":\"abc\",\"headers\":true}\r\n";
	options.login = table[_i].login;
	if (options.login.seed_file)
		options.login.seed_file = path;
	if (options.login.creds_file)
		options.login.creds_file = path;
	come_up();
	wait_to_hear(0, table[_i].says);
	unlink(path);
	hang_up(0); /* the file is gone, and what it said is still known */
	wait_for(&owner.up, 2);
	wait_to_hear(0, table[_i].says);
}
END_TEST

START_TEST(a_login_from_no_file_is_refused_with_a_sentence)
{
	char why[256] = "";

	options.login.seed_file = "/nonexistent/seed";
	ck_assert_int_eq(
	    nats_client_new(&client, loop, resolver, &options, &events, &owner, why, sizeof(why)),
	    -ENOENT);
	ck_assert_str_eq(why, "/nonexistent/seed: No such file or directory");
	options.login.seed_file = conf_path;
	ck_assert_int_eq(
	    nats_client_new(&client, loop, resolver, &options, &events, &owner, why, sizeof(why)),
	    -EINVAL);
	options.login.seed_file = NULL;
	options.server_count = 0;
	ck_assert_int_eq(
	    nats_client_new(&client, loop, resolver, &options, &events, &owner, why, sizeof(why)),
	    -EINVAL);
	client = NULL;
}
END_TEST

START_TEST(a_login_that_is_refused_is_told_and_tried_again)
{
	servers[0].logs_in = false;
	new_client();
	for (unsigned i = 1; i <= 3; i++) {
		wait_to_hear(0, "PING\r\n");
		say(0, "-ERR 'Authorization Violation'\r\n");
		wait_for(&owner.trouble, i);
		ck_assert_str_eq(owner.why, "Authorization Violation");
		servers[0].heard_n = 0;
	}
	ck_assert_uint_eq(owner.up + owner.down, 0);
}
END_TEST

START_TEST(who_is_no_server_of_nats_is_left)
{
	static const struct {
		const char *says, *why;
	} table[] = {
		{ "220 mail.example ESMTP\r\n", "this is not what a NATS server says" },
		{ "PING\r\n", "it does not begin with INFO: this is no NATS server" },
		{ "INFO {\r\n", "INFO makes no sense" },
		{ "INFO []\r\n", "INFO makes no sense" },
		{ "INFO {\"tls_required\":true}\r\n",
		    "the server requires TLS, and none is configured" },
		{ NULL, "it did not say INFO in time" },
		{ "INFO {}\r\nPONG\r\nMSG a 99 1\r\nxx\r\n",
		    "a payload does not end where it should" },
	};

	servers[0].info = table[_i].says;
	servers[0].logs_in = false;
	new_client();
	if (_i < 6)
		wait_for(&owner.trouble, 1);
	else
		wait_for(&owner.down, 1);
	ck_assert_str_eq(owner.why, table[_i].why);
	servers[0].info = INFO;
	servers[0].logs_in = true;
	wait_for(&owner.up, 1);
}
END_TEST

START_TEST(tls_is_not_begun_behind_what_somebody_said_before)
{
	char why[256];
	struct tls_client_options tls = { .insecure = true };

	options.tls = tls_client_context_new(&tls, why, sizeof(why));
	ck_assert_ptr_nonnull(options.tls);
	servers[0].info = "INFO {\"tls_required\":true}\r\nPONG\r\n";
	new_client();
	wait_for(&owner.trouble, 1);
	ck_assert_str_eq(owner.why, "there was more than INFO before TLS");
	servers[0].info = INFO;
	options.tls_required = true;
	nats_client_free(client);
	new_client();
	wait_for(&owner.trouble, 2);
	ck_assert_str_eq(owner.why, "TLS is required, and the server has none");
	nats_client_free(client);
	client = NULL;
	turn();
	tls_context_free(options.tls);
}
END_TEST

START_TEST(pings_are_answered_and_a_server_that_does_not_answer_ours_is_left)
{
	come_up();
	say(0, "PING\r\n");
	wait_to_hear(0, "PONG\r\n");
	servers[0].logs_in = false;
	wait_for(&owner.down, 1);
	ck_assert_str_eq(owner.why, "it does not answer our pings");
}
END_TEST

START_TEST(many_flushes_are_no_silence)
{
	struct nats_flush f[5] = { { .done = NULL } };

	come_up();
	turns(980 / STEP);
	servers[0].logs_in = false;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(nats_flush(client, &f[i], on_flushed), 0);
	turns(10);
	for (int i = 0; i < 5; i++)
		say(0, "PONG\r\n");
	servers[0].logs_in = true;
	turns(300);
	ck_assert_uint_eq(owner.flushed, 5);
	ck_assert_uint_eq(owner.down, 0);
}
END_TEST

START_TEST(complaints_end_a_connection_or_do_not)
{
	come_up();
	say(0, "-ERR 'Permissions Violation for Publish to \"a\"'\r\n");
	wait_for(&owner.trouble, 1);
	say(0, "-ERR 'Invalid Subject'\r\n");
	wait_for(&owner.trouble, 2);
	ck_assert(nats_client_is_up(client));
	say(0, "-ERR 'Slow Consumer'\r\n");
	wait_for(&owner.down, 1);
	ck_assert_str_eq(owner.why, "Slow Consumer");
	wait_for(&owner.up, 2);
}
END_TEST

/* --- subscriptions ------------------------------------------------------------------ */

START_TEST(messages_go_to_their_subscriptions)
{
	char line[128];
	unsigned a, b;

	come_up();
	subscribe("a.*");
	ck_assert_int_eq(nats_subscribe(client, &(struct nats_subscription *){ NULL }, "b", "group",
	                     on_message, NULL),
	    0);
	a = sid_of(0, "SUB a.* ");
	b = sid_of(0, "SUB b group ");
	ck_assert_uint_ne(a, b);
	snprintf(line, sizeof(line),
	    "MSG a.x %u 2\r\nhi\r\nMSG b %u 3\r\nyou\r\nMSG c 999 1\r\nx\r\n", a, b);
	say(0, line);
	wait_for(&owner.messages, 2);
	turns(3);
	ck_assert_str_eq(owner.last, "hi;you;");
	ck_assert_uint_eq(nats_client_counters(client)->messages_in, 3);
}
END_TEST

START_TEST(what_cannot_be_subscribed_to_is_refused_at_once)
{
	struct nats_subscription *s;

	new_client();
	ck_assert_int_eq(nats_subscribe(client, &s, "a..b", NULL, on_message, NULL), -EINVAL);
	ck_assert_int_eq(nats_subscribe(client, &s, "a", "b c", on_message, NULL), -EINVAL);
}
END_TEST

START_TEST(subscriptions_are_made_again_before_anything_else)
{
	struct nats_subscription *gone;
	const char *heard = servers[0].heard;

	options.held_bytes = 1000;
	come_up();
	subscribe("a");
	gone = subscribe("b");
	wait_to_hear(0, "SUB b ");
	nats_unsubscribe(gone);
	wait_to_hear(0, "UNSUB ");
	hang_up(0);
	wait_for(&owner.down, 1);
	ck_assert_int_eq(publish("x", "held"), 0);
	subscribe("c");
	wait_for(&owner.up, 2);
	wait_to_hear(0, "PUB x 4\r\nheld\r\n");
	ck_assert_ptr_null(strstr(heard, "SUB b "));
	ck_assert(strstr(heard, "SUB a ") < strstr(heard, "PUB x"));
	ck_assert(strstr(heard, "SUB c ") < strstr(heard, "PUB x"));
	ck_assert(strstr(heard, "SUB _INBOX.") < strstr(heard, "PUB x"));
}
END_TEST

START_TEST(what_comes_for_one_who_has_left_reaches_nobody_else)
{
	struct nats_subscription *s;
	char line[64];
	unsigned sid;

	come_up();
	s = subscribe("a");
	sid = sid_of(0, "SUB a ");
	nats_unsubscribe(s);
	subscribe("b");
	wait_to_hear(0, "SUB b ");
	snprintf(line, sizeof(line), "MSG a %u 1\r\nx\r\n", sid);
	say(0, line);
	turns(5);
	ck_assert_uint_eq(owner.messages, 0);
}
END_TEST

START_TEST(a_subscription_that_is_not_permitted_is_told)
{
	come_up();
	subscribe("secret.>");
	say(0, "-ERR 'Permissions Violation for Subscription to \"secret.>\"'\r\n");
	wait_for(&owner.refused, 1);
	ck_assert(nats_client_is_up(client));
}
END_TEST

/* --- publishing --------------------------------------------------------------------- */

START_TEST(what_is_published_in_a_turn_goes_out_in_order)
{
	come_up();
	servers[0].heard_n = 0;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(publish("a", "12"), 0);
	ck_assert_uint_gt(nats_client_pending(client), 0);
	turns(2);
	ck_assert_str_eq(servers[0].heard, "PUB a 2\r\n12\r\nPUB a 2\r\n12\r\nPUB a 2\r\n12\r\n");
	ck_assert_uint_eq(nats_client_pending(client), 0);
	ck_assert_uint_eq(nats_client_counters(client)->messages_out, 3);
}
END_TEST

START_TEST(what_the_server_would_not_take_is_refused)
{
	char large[1002];

	memset(large, 'x', sizeof(large));
	large[1001] = '\0';
	come_up();
	ck_assert_int_eq(publish("a", large), -EMSGSIZE);
	ck_assert_int_eq(publish("a", large + 1), 0);
	ck_assert_int_eq(publish("a.*", "x"), -EINVAL);
}
END_TEST

START_TEST(without_a_connection_it_is_held_or_refused)
{
	if (_i)
		options.held_bytes = 40;
	new_client();
	ck_assert_int_eq(publish("a", "0123456789"), _i ? 0 : -ENOTCONN);
	if (_i) {
		ck_assert_int_eq(publish("a", "0123456789012345678901234567890"), -ENOBUFS);
		wait_for(&owner.up, 1);
		wait_to_hear(0, "PUB a 10\r\n0123456789\r\n");
		ck_assert_uint_eq(owner.writable, 1); /* what was refused can be said now */
	}
}
END_TEST

START_TEST(a_server_that_takes_nothing_bounds_what_is_published)
{
	char text[1000];
	int err = 0;
	unsigned n = 0;

	memset(text, 'x', sizeof(text));
	text[999] = '\0';
	options.send_bytes = 100000;
	options.ping_interval_ms = 1000000;
	come_up();
	servers[0].is_deaf = true;
	while (n < 100000 && (err = publish("a", text)) == 0)
		if (n++ % 50 == 0)
			turn();
	ck_assert_int_eq(err, -ENOBUFS);
	ck_assert_uint_le(nats_client_pending(client), options.send_bytes + 2000);
	turns(3);
	ck_assert_uint_eq(owner.writable, 0);
	servers[0].is_deaf = false;
	for (int i = 0; i < PATIENCE && !owner.writable; i++) {
		servers[0].heard_n = 0;
		turn();
	}
	ck_assert_uint_eq(owner.writable, 1);
	ck_assert_int_eq(publish("a", text), 0);
}
END_TEST

/* --- requests ----------------------------------------------------------------------- */

START_TEST(a_request_is_answered_once)
{
	struct nats_request r = { 0 };

	come_up();
	ck_assert_int_eq(ask(&r, "service"), 0);
	answer(0, "PUB service", "yes");
	wait_for(&owner.replies, 1);
	ck_assert_int_eq(owner.err, 0);
	ck_assert_str_eq(owner.last, "yes;");
	answer(0, "PUB service", "again");
	turns(100);
	ck_assert_uint_eq(owner.replies, 1);
}
END_TEST

START_TEST(many_replies_come_until_it_is_cancelled)
{
	struct nats_message m = { .subject = BYTES("service") };
	struct nats_request r = { 0 };

	come_up();
	ck_assert_int_eq(nats_request_many(client, &r, &m, 500, on_reply), 0);
	answer(0, "PUB service", "1");
	answer(0, "PUB service", "2");
	wait_for(&owner.replies, 2);
	ck_assert_str_eq(owner.last, "1;2;");
	if (_i) {
		nats_request_cancel(&r);
		wait_to_hear(0, "UNSUB ");
		answer(0, "PUB service", "3");
		turns(100);
		ck_assert_uint_eq(owner.replies, 2);
	} else {
		wait_for(&owner.replies, 3);
		ck_assert_int_eq(owner.err, -ETIMEDOUT);
	}
}
END_TEST

static void answer_nobody(void)
{
	char line[400];
	const char *reply = reply_subject(0, "PUB service");

	snprintf(line, sizeof(line), "HMSG %s %u 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", reply,
	    inbox_sid(0, reply));
	say(0, line);
}

START_TEST(a_request_that_fails_says_how)
{
	static const int errs[] = { -EHOSTUNREACH, -ECONNRESET, -EACCES, -ETIMEDOUT };
	struct nats_request r = { 0 };

	come_up();
	ck_assert_int_eq(ask(&r, "service"), 0);
	wait_to_hear(0, "PUB service");
	if (_i == 0)
		answer_nobody();
	else if (_i == 1)
		hang_up(0);
	else if (_i == 2)
		say(0, "-ERR 'Permissions Violation for Publish to \"service\"'\r\n");
	wait_for(&owner.replies, 1);
	ck_assert_int_eq(owner.err, errs[_i]);
	ck_assert_uint_eq(nats_client_counters(client)->requests, 1);
	turns(100);
	ck_assert_uint_eq(owner.replies, 1);
}
END_TEST

/* It has not been sent, so it survives a connection that was another one. */
START_TEST(a_request_that_is_held_is_asked_on_the_next_connection)
{
	struct nats_request r = { 0 };

	options.held_bytes = 1000;
	new_client();
	ck_assert_int_eq(ask(&r, "service"), 0);
	wait_for(&owner.up, 1);
	answer(0, "PUB service", "yes");
	wait_for(&owner.replies, 1);
	ck_assert_int_eq(owner.err, 0);
}
END_TEST

START_TEST(a_flush_is_done_when_the_server_has_heard_all)
{
	struct nats_flush f[3] = { { { 0 }, 0, 0 } };

	come_up();
	servers[0].logs_in = false;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(nats_flush(client, &f[i], on_flushed), 0);
	turns(5);
	ck_assert_uint_eq(owner.flushed, 0);
	say(0, "PONG\r\n");
	wait_for(&owner.flushed, 1);
	nats_flush_cancel(&f[1]);
	say(0, "PONG\r\n");
	turns(5);
	ck_assert_uint_eq(owner.flushed, 1);
	hang_up(0);
	wait_for(&owner.flushed, 2);
	ck_assert_int_eq(owner.err, -ECONNRESET);
	ck_assert_int_eq(nats_flush(client, &f[0], on_flushed), -ENOTCONN);
}
END_TEST

/* --- clusters ----------------------------------------------------------------------- */

static void tell_of_the_other(const char *more)
{
	char line[256];

	snprintf(line, sizeof(line),
	    "INFO {\"headers\":true%s,\"connect_urls\":[\"127.0.0.1:%u\",\"127.0.0.1:%u\"]}\r\n",
	    more, addresses[0].port, addresses[1].port);
	say(0, line);
}

START_TEST(members_that_the_cluster_tells_of_are_used)
{
	options.no_discovery = _i;
	come_up();
	tell_of_the_other("");
	turns(3);
	close(servers[0].listener);
	servers[0].listener = -1;
	hang_up(0);
	if (_i) {
		turns(200);
		ck_assert_uint_eq(servers[1].accepted, 0);
	} else {
		wait_for(&owner.up, 2);
		ck_assert_uint_eq(servers[1].accepted, 1);
	}
}
END_TEST

START_TEST(a_server_that_will_stop_is_left_for_another)
{
	come_up();
	tell_of_the_other(",\"ldm\":true");
	wait_for(&owner.up, 2);
	ck_assert_str_eq(owner.why, "the server is about to stop");
	ck_assert_uint_eq(servers[1].accepted, 1);
}
END_TEST

START_TEST(the_only_server_is_not_left)
{
	come_up();
	say(0, "INFO {\"headers\":true,\"ldm\":true}\r\n");
	turns(300);
	ck_assert_uint_eq(owner.down, 0);
}
END_TEST

/* --- the end ------------------------------------------------------------------------ */

static struct nats_request some_request;
static struct nats_flush some_flush;

static void free_it(void)
{
	nats_client_free(client);
	client = NULL;
	owner.upon = NULL;
}

/* In the callback of what comes first of its kind. */
START_TEST(it_may_be_freed_in_any_callback)
{
	memset(&some_request, 0, sizeof(some_request));
	memset(&some_flush, 0, sizeof(some_flush));
	if (_i == 0) {
		owner.upon = free_it;
		new_client();
		turns(TURNS);
		ck_assert_uint_eq(owner.up, 1);
		return;
	}
	come_up();
	subscribe("a");
	wait_to_hear(0, "SUB a ");
	ck_assert_int_eq(ask(&some_request, "service"), 0);
	ck_assert_int_eq(nats_flush(client, &some_flush, on_flushed), 0);
	servers[0].logs_in = false;
	wait_to_hear(0, "PUB service");
	owner.upon = free_it;
	if (_i == 1)
		hang_up(0); /* first the request fails */
	else if (_i == 2)
		answer(0, "PUB service", "yes");
	else if (_i == 3)
		say(0, "-ERR 'Permissions Violation for Subscription to \"a\"'\r\nPING\r\n");
	else if (_i == 4)
		say(0, "PONG\r\nPING\r\nPING\r\n");
	turns(TURNS);
	ck_assert_ptr_null(client);
	nats_flush_cancel(&some_flush);
	nats_request_cancel(&some_request);
}
END_TEST

START_TEST(it_may_be_freed_at_any_moment)
{
	for (int stop = 0; stop < TURNS; stop++) {
		memset(&some_request, 0, sizeof(some_request));
		options.held_bytes = 1000;
		new_client();
		subscribe("a");
		ck_assert_int_eq(ask(&some_request, "service"), 0);
		turns(stop);
		if (stop == TURNS - 3)
			hang_up(0);
		nats_client_free(client);
		client = NULL;
		turns(2);
		nats_request_cancel(&some_request);
	}
}
END_TEST

START_TEST(what_was_published_last_is_still_said)
{
	come_up();
	ck_assert_int_eq(publish("bye", "bye"), 0);
	free_it();
	turns(3);
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "PUB bye 3\r\nbye\r\n"));
}
END_TEST

START_TEST(memory_that_is_out_is_survived)
{
	unsigned long nth = 0;
	int has_failed = 1;
	char why[256];

	options.held_bytes = 1000;
	while (has_failed && nth < 300) {
		struct nats_message m = { .subject = BYTES("a"), .payload = BYTES("?") };
		struct nats_subscription *s;

		memset(&some_request, 0, sizeof(some_request));
		mem_fail_at(++nth);
		if (nats_client_new(
		        &client, loop, resolver, &options, &events, &owner, why, sizeof(why)) < 0) {
			client = NULL;
			has_failed = mem_failed();
			mem_fail_at(0);
			turn();
			continue;
		}
		nats_subscribe(client, &s, "a", NULL, on_message, NULL);
		nats_request(client, &some_request, &m, 200, on_reply);
		for (int i = 0; i < TURNS; i++) {
			turn();
			if (i == TURNS / 2 && servers[0].fd >= 0)
				say(0, "MSG a 2 4\r\nab");
			if (i == TURNS / 2 + 2 && servers[0].fd >= 0)
				say(0, "cd\r\n");
		}
		has_failed = mem_failed();
		mem_fail_at(0);
		for (int i = 0; i < PATIENCE && !nats_client_is_up(client); i++)
			turn();
		ck_assert(nats_client_is_up(client));
		nats_client_free(client);
		client = NULL;
		turns(2);
	}
	ck_assert_uint_gt(nth, 8);
	ck_assert_uint_lt(nth, 300);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, a_login_follows_info_and_pong_makes_it_up);
	tcase_add_loop_test(tc, each_login_says_who_we_are, 0, 4);
	tcase_add_test(tc, a_login_from_no_file_is_refused_with_a_sentence);
	tcase_add_test(tc, a_login_that_is_refused_is_told_and_tried_again);
	tcase_add_loop_test(tc, who_is_no_server_of_nats_is_left, 0, 7);
	tcase_add_test(tc, tls_is_not_begun_behind_what_somebody_said_before);
	tcase_add_test(tc, pings_are_answered_and_a_server_that_does_not_answer_ours_is_left);
	tcase_add_test(tc, many_flushes_are_no_silence);
	tcase_add_test(tc, complaints_end_a_connection_or_do_not);
	tcase_add_test(tc, messages_go_to_their_subscriptions);
	tcase_add_test(tc, what_cannot_be_subscribed_to_is_refused_at_once);
	tcase_add_test(tc, subscriptions_are_made_again_before_anything_else);
	tcase_add_test(tc, what_comes_for_one_who_has_left_reaches_nobody_else);
	tcase_add_test(tc, a_subscription_that_is_not_permitted_is_told);
	tcase_add_test(tc, what_is_published_in_a_turn_goes_out_in_order);
	tcase_add_test(tc, what_the_server_would_not_take_is_refused);
	tcase_add_loop_test(tc, without_a_connection_it_is_held_or_refused, 0, 2);
	tcase_add_test(tc, a_server_that_takes_nothing_bounds_what_is_published);
	tcase_add_test(tc, a_request_is_answered_once);
	tcase_add_loop_test(tc, many_replies_come_until_it_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, a_request_that_fails_says_how, 0, 4);
	tcase_add_test(tc, a_request_that_is_held_is_asked_on_the_next_connection);
	tcase_add_test(tc, a_flush_is_done_when_the_server_has_heard_all);
	tcase_add_loop_test(tc, members_that_the_cluster_tells_of_are_used, 0, 2);
	tcase_add_test(tc, a_server_that_will_stop_is_left_for_another);
	tcase_add_test(tc, the_only_server_is_not_left);
	tcase_add_loop_test(tc, it_may_be_freed_in_any_callback, 0, 5);
	tcase_add_test(tc, it_may_be_freed_at_any_moment);
	tcase_add_test(tc, what_was_published_last_is_still_said);
	tcase_add_test(tc, memory_that_is_out_is_survived);
}

int main(void)
{
	Suite *suite = suite_create("nats_client");
	TCase *tc = tcase_create("client");
	SRunner *runner = srunner_create(suite);
	int fd = mkstemp(conf_path), bad;

	if (fd < 0)
		return EXIT_FAILURE;
	close(fd);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(conf_path);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
