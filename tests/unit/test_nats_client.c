/*
 * tests/unit/test_nats_client.c - a client of NATS, against servers on loopback that say what the
 * test wants. Time is the test's own.
 *
 * What a real server does is in tests/nats/.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "nats/nats_client_private.h"
#include "nats_fixture.h"

#define SEED "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"

enum { TURNS = 40 };

/* --- what it is told -------------------------------------------------------------- */

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
	dprintf(fd, SEED "\n%s", _i == 3 ? "---\n" : "");
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
	ck_assert_int_eq(nats_client_new(&client, loop, resolver, &options, &nats_owner_events,
	                     &owner, why, sizeof(why)),
	    -ENOENT);
	ck_assert_str_eq(why, "/nonexistent/seed: No such file or directory");
	options.login.seed_file = "/dev/null";
	ck_assert_int_eq(nats_client_new(&client, loop, resolver, &options, &nats_owner_events,
	                     &owner, why, sizeof(why)),
	    -EINVAL);
	options.login.seed_file = NULL;
	options.server_count = 0;
	ck_assert_int_eq(nats_client_new(&client, loop, resolver, &options, &nats_owner_events,
	                     &owner, why, sizeof(why)),
	    -EINVAL);
	client = NULL;
}
END_TEST

static void write_creds(const char *path, const char *jwt)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "---\n%s\n---\n---\n" SEED "\n---\n", jwt);
	fclose(f);
}

START_TEST(a_file_that_has_changed_is_what_the_next_login_says)
{
	char path[] = "/tmp/test_nats_client_creds.XXXXXX";

	close(mkstemp(path));
	write_creds(path, "a.b");
	servers[0].info = "INFO {\"nonce\":\"abc\",\"headers\":true}\r\n";
	options.login.creds_file = path;
	come_up();
	wait_to_hear(0, "\"jwt\":\"a.b\"");
	write_creds(path, "c.d");
	hang_up(0);
	wait_for(&owner.up, 2);
	wait_to_hear(0, "\"jwt\":\"c.d\"");
	ck_assert_uint_eq(owner.trouble, 0);
	write_creds(path, "");
	hang_up(0);
	wait_for(&owner.up, 3);
	wait_to_hear(0, "\"jwt\":\"c.d\"");
	ck_assert_uint_eq(owner.trouble, 1);
	unlink(path);
}
END_TEST

START_TEST(what_json_cannot_say_is_refused_with_a_sentence)
{
	char path[] = "/tmp/test_nats_client_creds.XXXXXX", why[256] = "";

	close(mkstemp(path));
	write_creds(path, "a.\xff");
	if (_i == 0)
		options.login.user = "\xff";
	else if (_i == 1)
		options.login.password = "p\xc3";
	else if (_i == 2)
		options.login.token = "\xed\xa0\x80";
	else if (_i == 3)
		options.name = "\xff";
	else
		options.login.creds_file = path;
	ck_assert_int_eq(nats_client_new(&client, loop, resolver, &options, &nats_owner_events,
	                     &owner, why, sizeof(why)),
	    -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "UTF-8"));
	client = NULL;
	unlink(path);
}
END_TEST

static bool has_octets(const struct buf *b, const char *text)
{
	return b->data && memmem(b->data, b->cap, text, strlen(text));
}

START_TEST(a_secret_does_not_stay_in_what_is_said)
{
	options.login.token = "hush-hush";
	come_up();
	ck_assert_int_eq(publish("a", "hello"), 0);
	ck_assert(has_octets(&client->out, "hello"));
	ck_assert(!has_octets(&client->out, "hush-hush"));
	wait_to_hear(0, "hello");
	wait_to_hear(0, "hush-hush");
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

/* Before it lets us in, and afterwards. */
START_TEST(a_server_that_asks_for_pongs_and_does_not_read_them_is_left)
{
	static char pings[30000];

	for (size_t i = 0; i + 7 < sizeof(pings); i += 6)
		memcpy(pings + i, "PING\r\n", 7);
	servers[0].logs_in = _i;
	options.connect_timeout_ms = options.ping_interval_ms = 1000000;
	new_client();
	wait_to_hear(0, "PING\r\n");
	turns(3);
	servers[0].is_deaf = true;
	for (int i = 0; i < 3000 && owner.down + owner.trouble == 0; i++) {
		send(servers[0].fd, pings, sizeof(pings) - 6, MSG_NOSIGNAL | MSG_DONTWAIT);
		turn();
		ck_assert_uint_le(nats_client_pending(client), 200000);
	}
	ck_assert_uint_eq(_i ? owner.down : owner.trouble, 1);
	ck_assert_str_eq(owner.why, "it asks for PONGs and does not read them");
}
END_TEST

START_TEST(pings_without_end_are_answered_if_they_are_read)
{
	static char pings[6001];

	for (size_t i = 0; i + 6 < sizeof(pings); i += 6)
		memcpy(pings + i, "PING\r\n", 7);
	come_up();
	for (int i = 0; i < 30; i++) {
		servers[0].heard_n = 0;
		say(0, pings);
		turns(2);
	}
	ck_assert_uint_eq(owner.down, 0);
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

static unsigned flood(void)
{
	static char text[30000];
	unsigned sid = sid_of(0, "SUB a "), count = 0;
	size_t n = 0;

	for (; n + 30 < sizeof(text); count++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "MSG a %u 1\r\n%u\r\n", sid, count % 10);
	say(0, text);
	return count;
}

static void assert_in_order(void)
{
	for (size_t i = 0; 2 * i + 1 < sizeof(owner.last) && owner.last[2 * i]; i++)
		ck_assert_int_eq(owner.last[2 * i], '0' + (int)(i % 10));
}

/* A flood leaves time for others, and all of it is taken. */
START_TEST(what_comes_is_read_in_slices)
{
	unsigned count;

	come_up();
	subscribe("a");
	count = flood();
	owner.spends = 100000000;
	turns(3);
	ck_assert_uint_gt(owner.messages, 0);
	ck_assert_uint_lt(owner.messages, 10);
	owner.spends = 0;
	wait_for(&owner.messages, count);
	turns(3);
	ck_assert_uint_eq(owner.messages, count);
	assert_in_order();
	say(0, "PING\r\n");
	wait_to_hear(0, "PONG\r\n");
}
END_TEST

START_TEST(a_slice_that_is_left_ends_with_its_connection)
{
	unsigned before;

	options.ping_interval_ms = 100;
	come_up();
	subscribe("a");
	flood();
	owner.spends = 100000000;
	turns(2);
	if (_i) {
		nats_client_free(client);
		client = NULL;
	} else {
		servers[0].logs_in = false;
		wait_for(&owner.down, 1);
		servers[0].logs_in = true;
		wait_for(&owner.up, 2);
	}
	owner.spends = 0;
	before = owner.messages;
	turns(20);
	ck_assert_uint_eq(owner.messages, before);
	ck_assert_uint_lt(before, 100);
}
END_TEST

static void pause_it(void)
{
	nats_client_pause(client);
	owner.upon = NULL;
}

START_TEST(who_has_paused_is_told_nothing_more_until_he_resumes)
{
	unsigned count;

	options.pings_out = 1;
	come_up();
	subscribe("a");
	count = flood();
	owner.upon = pause_it;
	turns(350); /* in which there are pings */
	ck_assert_uint_eq(owner.messages, 1);
	ck_assert_uint_eq(owner.down, 0);
	nats_client_resume(client);
	wait_for(&owner.messages, count);
	assert_in_order();
	turns(350);
	ck_assert_uint_eq(owner.messages, count);
	ck_assert_uint_eq(owner.down, 0);
}
END_TEST

/* Its PONG has come, perhaps, and lies where nobody has looked yet. */
START_TEST(a_pause_is_not_the_silence_of_the_server)
{
	options.pings_out = 1;
	come_up();
	servers[0].logs_in = false;
	servers[0].heard_n = 0;
	wait_to_hear(0, "PING\r\n");
	nats_client_pause(client);
	nats_client_resume(client);
	turns(110);
	ck_assert_uint_eq(owner.down, 0);
	say(0, "PONG\r\nPONG\r\n");
	servers[0].logs_in = true;
	turns(300);
	ck_assert_uint_eq(owner.down, 0);
}
END_TEST

START_TEST(who_has_paused_is_so_on_the_next_connection_too)
{
	come_up();
	subscribe("a");
	nats_client_pause(client);
	hang_up(0);
	wait_for(&owner.down, 1);
	wait_for(&owner.up, 2);
	flood();
	turns(50);
	ck_assert_uint_eq(owner.messages, 0);
	if (_i) {
		nats_client_free(client);
		client = NULL;
		return;
	}
	nats_client_resume(client);
	wait_for(&owner.messages, 10);
	servers[0].logs_in = false; /* it is listened to, and silent */
	wait_for(&owner.down, 2);
	ck_assert_str_eq(owner.why, "it does not answer our pings");
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
	for (int i = 0; i < 3000 && !owner.writable; i++) {
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

/* That a server does not let us in is no news for what was not said to it. */
START_TEST(a_request_that_is_held_outlives_a_login_that_fails)
{
	struct nats_request r = { 0 };

	options.held_bytes = 1000;
	servers[0].logs_in = false;
	new_client();
	ck_assert_int_eq(ask(&r, "service"), 0);
	wait_to_hear(0, "PING\r\n");
	hang_up(0);
	wait_for(&owner.trouble, 1);
	ck_assert_uint_eq(owner.replies, 0);
	servers[0].logs_in = true;
	wait_for(&owner.up, 1);
	wait_to_hear(0, "PUB service");
	if (_i) {
		answer(0, "PUB service", "yes");
		wait_for(&owner.replies, 1);
		ck_assert_int_eq(owner.err, 0);
	} else {
		hang_up(0); /* now it was said */
		wait_for(&owner.down, 1);
		ck_assert_uint_eq(owner.replies, 1);
		ck_assert_int_eq(owner.err, -ECONNRESET);
	}
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
	ck_assert_uint_eq(owner.changed, 0);
	tell_of_the_other("");
	wait_for(&owner.changed, 1);
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

/* It names another host in each INFO, and closes. */
START_TEST(who_does_not_let_us_in_cannot_lead_us_from_host_to_host)
{
	char info[200];

	options.retry_ms = options.retry_max_ms = 1000;
	servers[0].logs_in = false;
	servers[0].info = info;
	snprintf(info, sizeof(info), "INFO {\"connect_urls\":[\"127.0.0.2:1\"]}\r\n");
	new_client();
	for (unsigned i = 1; i <= 300; i++) {
		if (servers[0].fd >= 0) {
			snprintf(info, sizeof(info),
			    "INFO {\"connect_urls\":[\"127.0.%u.%u:%u\",\"127.0.0.1:%u\"]}\r\n",
			    i / 200, i % 200 + 2, addresses[0].port, addresses[1].port);
			hang_up(0);
		}
		turn();
	}
	ck_assert_uint_le(servers[0].accepted, 8);
	ck_assert_uint_eq(servers[1].accepted, 0);
}
END_TEST

START_TEST(what_a_server_told_before_it_let_us_in_is_believed_afterwards)
{
	char info[200];

	snprintf(info, sizeof(info), "INFO {\"connect_urls\":[\"127.0.0.1:%u\"]}\r\n",
	    addresses[1].port);
	servers[0].info = info;
	come_up();
	close(servers[0].listener);
	servers[0].listener = -1;
	hang_up(0);
	wait_for(&owner.up, 2);
	ck_assert_uint_eq(servers[1].accepted, 1);
}
END_TEST

static const char *expected_name(void)
{
	close(servers[0].listener);
	servers[0].listener = -1;
	hang_up(0);
	wait_for(&owner.up, 2);
	ck_assert_uint_eq(servers[1].accepted, 1);
	return connector_server(&client->connector)->tls_host;
}

static void tell_of(const char *host, uint16_t port)
{
	char line[256];

	snprintf(line, sizeof(line), "INFO {\"headers\":true,\"connect_urls\":[\"%s:%u\"]}\r\n",
	    host, port);
	say(0, line);
	turns(3);
}

/* Anybody between us could have said it: its certificate has to be for whom we know. Told under TLS
 * a name is one's own; an address is never one. */
START_TEST(a_name_is_believed_if_it_was_told_under_tls)
{
	static const char *const expected[] = { "good.test", "localhost", "good.test" };
	struct nats_server configured = { "127.0.0.1", addresses[0].port };

	options.servers = &configured;
	come_up();
	tell_of(_i == 2 ? "127.0.0.1" : "localhost", addresses[1].port);
	configured.host = "good.test";
	client->urls_are_private = _i > 0;
	ck_assert_int_eq(nats_client_list_servers(client), 0);
	ck_assert_str_eq(expected_name(), expected[_i]);
}
END_TEST

START_TEST(what_was_told_under_tls_is_not_replaced_by_what_was_not)
{
	come_up();
	tell_of("127.0.0.1", addresses[1].port);
	client->info_is_private = _i;
	nats_client_learn(client);
	ck_assert_int_eq(client->urls_are_private, _i);
	tell_of("127.0.0.1", 1);
	ck_assert_int_eq(client->urls_are_private, _i);
	if (_i)
		expected_name();
	else
		ck_assert_str_eq(json_string_value(json_array_get(client->urls, 0)), "127.0.0.1:1");
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

/* It may name itself. */
START_TEST(the_only_server_is_not_left)
{
	char line[100];

	come_up();
	snprintf(line, sizeof(line),
	    _i ? "INFO {\"headers\":true,\"ldm\":true,\"connect_urls\":[\"127.0.0.1:%u\"]}\r\n"
	       : "INFO {\"headers\":true,\"ldm\":true}\r\n",
	    addresses[0].port);
	say(0, line);
	turns(300);
	ck_assert_uint_eq(owner.down, 0);
}
END_TEST

/* So may one be that has two names. */
START_TEST(servers_that_will_all_stop_are_not_left_for_one_another)
{
	static const char lame[] = "INFO {\"headers\":true,\"ldm\":true}\r\n";

	servers[0].info = servers[1].info = lame;
	options.server_count = 2;
	come_up();
	turns(1500);
	ck_assert_uint_eq(owner.down, 1);
	hang_up(servers[0].fd >= 0 ? 0 : 1); /* it stops */
	wait_for(&owner.down, 2);
	servers[0].info = servers[1].info = INFO;
	wait_for(&owner.up, 3);
	say(servers[0].fd >= 0 ? 0 : 1, lame);
	wait_for(&owner.down, 3);
}
END_TEST

START_TEST(a_server_that_changed_its_mind_is_not_left)
{
	come_up();
	tell_of_the_other(",\"ldm\":true");
	tell_of_the_other("");
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
	struct nats_message m = { .subject = BYTES("late") };
	struct nats_subscription *s;
	struct nats_client *freed;

	come_up();
	ck_assert_int_eq(publish("bye", "bye"), 0);
	freed = client;
	free_it();
	ck_assert_int_eq(nats_publish(freed, &m), -ENOTCONN);
	ck_assert_int_eq(nats_subscribe(freed, &s, "a", NULL, on_message, NULL), -ENOTCONN);
	turns(3);
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "PUB bye 3\r\nbye\r\n"));
	ck_assert_ptr_null(strstr(servers[0].heard, "late"));
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
		if (nats_client_new(&client, loop, resolver, &options, &nats_owner_events, &owner,
		        why, sizeof(why)) < 0) {
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
		for (int i = 0; i < 3000 && !nats_client_is_up(client); i++)
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
	tcase_add_test(tc, a_file_that_has_changed_is_what_the_next_login_says);
	tcase_add_loop_test(tc, what_json_cannot_say_is_refused_with_a_sentence, 0, 5);
	tcase_add_test(tc, a_secret_does_not_stay_in_what_is_said);
	tcase_add_test(tc, a_login_that_is_refused_is_told_and_tried_again);
	tcase_add_loop_test(tc, who_is_no_server_of_nats_is_left, 0, 7);
	tcase_add_test(tc, tls_is_not_begun_behind_what_somebody_said_before);
	tcase_add_test(tc, pings_are_answered_and_a_server_that_does_not_answer_ours_is_left);
	tcase_add_loop_test(tc, a_server_that_asks_for_pongs_and_does_not_read_them_is_left, 0, 2);
	tcase_add_test(tc, pings_without_end_are_answered_if_they_are_read);
	tcase_add_test(tc, many_flushes_are_no_silence);
	tcase_add_test(tc, complaints_end_a_connection_or_do_not);
	tcase_add_test(tc, messages_go_to_their_subscriptions);
	tcase_add_test(tc, what_cannot_be_subscribed_to_is_refused_at_once);
	tcase_add_test(tc, subscriptions_are_made_again_before_anything_else);
	tcase_add_test(tc, what_comes_for_one_who_has_left_reaches_nobody_else);
	tcase_add_test(tc, a_subscription_that_is_not_permitted_is_told);
	tcase_add_test(tc, what_comes_is_read_in_slices);
	tcase_add_loop_test(tc, a_slice_that_is_left_ends_with_its_connection, 0, 2);
	tcase_add_test(tc, who_has_paused_is_told_nothing_more_until_he_resumes);
	tcase_add_test(tc, a_pause_is_not_the_silence_of_the_server);
	tcase_add_loop_test(tc, who_has_paused_is_so_on_the_next_connection_too, 0, 2);
	tcase_add_test(tc, what_is_published_in_a_turn_goes_out_in_order);
	tcase_add_test(tc, what_the_server_would_not_take_is_refused);
	tcase_add_loop_test(tc, without_a_connection_it_is_held_or_refused, 0, 2);
	tcase_add_test(tc, a_server_that_takes_nothing_bounds_what_is_published);
	tcase_add_test(tc, a_request_is_answered_once);
	tcase_add_loop_test(tc, many_replies_come_until_it_is_cancelled, 0, 2);
	tcase_add_loop_test(tc, a_request_that_fails_says_how, 0, 4);
	tcase_add_test(tc, a_request_that_is_held_is_asked_on_the_next_connection);
	tcase_add_loop_test(tc, a_request_that_is_held_outlives_a_login_that_fails, 0, 2);
	tcase_add_test(tc, a_flush_is_done_when_the_server_has_heard_all);
	tcase_add_loop_test(tc, members_that_the_cluster_tells_of_are_used, 0, 2);
	tcase_add_test(tc, who_does_not_let_us_in_cannot_lead_us_from_host_to_host);
	tcase_add_test(tc, what_a_server_told_before_it_let_us_in_is_believed_afterwards);
	tcase_add_loop_test(tc, a_name_is_believed_if_it_was_told_under_tls, 0, 3);
	tcase_add_loop_test(tc, what_was_told_under_tls_is_not_replaced_by_what_was_not, 0, 2);
	tcase_add_test(tc, a_server_that_will_stop_is_left_for_another);
	tcase_add_loop_test(tc, the_only_server_is_not_left, 0, 2);
	tcase_add_test(tc, servers_that_will_all_stop_are_not_left_for_one_another);
	tcase_add_test(tc, a_server_that_changed_its_mind_is_not_left);
	tcase_add_loop_test(tc, it_may_be_freed_in_any_callback, 0, 5);
	tcase_add_test(tc, it_may_be_freed_at_any_moment);
	tcase_add_test(tc, what_was_published_last_is_still_said);
	tcase_add_test(tc, memory_that_is_out_is_survived);
}

int main(void)
{
	return nats_tests_run("nats_client", add_tests);
}
