/*
 * tests/unit/test_sockjs_broker_later.c - hooks of a broker that decide later (SOCKJS_LATER): what
 * waits for it, what comes of it, who a client is by the application's word, and that the
 * application hears of its end.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stomp_fixture.h"

/* --- an application that has to think ------------------------------------------------------ */

enum { AUTHENTICATE = 1, CONNECT = 2, SUBSCRIBE = 4, INCOMING = 8, HANDLER = 16, ANSWER = 32 };

static unsigned slow; /* about what; it lets the rest be */

/* Who has to wait; the story is told after these were set. Two are enough. */
static struct guest {
	struct sockjs_client *c;
	struct sockjs_ref *ref;
} guests[2];

static pthread_mutex_t guests_lock = PTHREAD_MUTEX_INITIALIZER;

static int think(struct sockjs_client *c, unsigned about)
{
	struct guest *g;

	if (!(slow & about))
		return 0;
	ck_assert_int_eq(sockjs_client_decide(c, 0, NULL), -EALREADY); /* not from within */
	pthread_mutex_lock(&guests_lock);
	g = guests[0].c && guests[0].c != c ? &guests[1] : &guests[0];
	sockjs_ref_free(g->ref);
	g->c = c;
	g->ref = sockjs_session_ref(sockjs_client_session(c));
	ck_assert_ptr_nonnull(g->ref);
	pthread_mutex_unlock(&guests_lock);
	return SOCKJS_LATER;
}

static const char *header(const struct sockjs_publication *p, const char *name)
{
	for (size_t i = 0; i < p->header_count; i++)
		if (strcmp(p->headers[i].name, name) == 0)
			return p->headers[i].value;
	return "-";
}

static int on_authenticate(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, AUTHENTICATE);

	(void)arg;
	tell("[authenticate %s %s]", header(p, "login"), header(p, "passcode"));
	return status;
}

static int on_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, CONNECT);

	(void)arg;
	ck_assert_str_eq(header(p, "passcode"), "-");
	tell("[connect %s]", sockjs_client_user(c));
	return status;
}

static void on_connected(struct sockjs_client *c, void *arg)
{
	(void)arg;
	tell("[connected %s]", sockjs_client_user(c));
}

static int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	int status = think(c, SUBSCRIBE);

	(void)arg;
	tell("[subscribe %s %s]", destination, id);
	return status;
}

static int on_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	int status = think(c, INCOMING);

	(void)arg;
	tell("[incoming %s %.*s]", p->destination, (int)p->len, p->body);
	return status;
}

static int on_sent(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, HANDLER);

	(void)arg;
	tell("[handler %s %.*s]", p->destination, (int)p->len, p->body);
	return status;
}

static int on_state(struct sockjs_client *c, const struct sockjs_publication *p,
    struct sockjs_publication *answer, void *arg)
{
	int status = think(c, ANSWER);

	(void)arg, (void)answer;
	tell("[answer %s]", p->destination);
	return status;
}

static void on_disconnected(struct sockjs_client *c, void *arg)
{
	unsigned code;
	const char *reason = sockjs_client_end(c, &code);

	(void)arg;
	tell("[disconnected %u %s]", code, reason);
}

static void on_gone(struct sockjs_client *c, void *arg)
{
	unsigned code;

	(void)arg;
	sockjs_client_end(c, &code);
	ck_assert_int_eq(sockjs_client_decide(c, 0, NULL), -EALREADY);
	pthread_mutex_lock(&guests_lock);
	for (unsigned i = 0; i < 2; i++)
		if (guests[i].c == c)
			guests[i].c = NULL;
	pthread_mutex_unlock(&guests_lock);
	sockjs_client_disconnect(c, "It has gone."); /* means nothing any more */
	tell("[gone %u %s]", code, sockjs_client_data(c) ? (char *)sockjs_client_data(c) : "-");
}

static const struct sockjs_broker_hooks thinker = {
	.authenticate = on_authenticate,
	.connect = on_connect,
	.connected = on_connected,
	.subscribe = on_subscribe,
	.incoming = on_incoming,
	.disconnected = on_disconnected,
	.gone = on_gone,
};

static void start(unsigned about, const char *const *options)
{
	slow = about;
	prepare(options);
	sockjs_broker_set_hooks(broker, &thinker, NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/say/*", on_sent, NULL), 0);
	ck_assert_int_eq(sockjs_broker_answer(broker, "/app/state/*", on_state, NULL), 0);
	run(NULL);
}

static void end(void)
{
	teardown();
	for (unsigned i = 0; i < 2; i++)
		sockjs_ref_free(guests[i].ref);
	memset(guests, 0, sizeof(guests));
}

/* --- its word, from another thread ------------------------------------------------------------ */

struct word {
	struct guest *guest;
	const struct sockjs_identity *who;
	int status;
	const char *sentence;
	const struct sockjs_publication *p;
	int result;
	atomic_bool said;
};

static void say_word(struct sockjs_session *s, void *arg)
{
	struct word *w = arg;

	w->result = -EPIPE;
	if (s && w->who)
		ck_assert_int_eq(sockjs_client_set_identity(w->guest->c, w->who), 0);
	if (s && w->sentence)
		w->result = sockjs_client_refuse(w->guest->c, w->status, w->sentence);
	else if (s)
		w->result = sockjs_client_decide(w->guest->c, w->status, w->p);
	w->said = true;
}

/* What came of it; -EPIPE: the client has gone. */
static int give(struct word w)
{
	if (!w.guest)
		w.guest = &guests[0];
	ck_assert_int_eq(sockjs_ref_call(w.guest->ref, say_word, &w), 0);
	for (int i = 0; i < 5000 && !w.said; i++)
		usleep(1000);
	ck_assert(w.said);
	return w.result;
}

#define GIVE(...) give((struct word){ __VA_ARGS__ })

/* --- each stage ------------------------------------------------------------------------------- */

START_TEST(every_stage_may_be_decided_later_and_what_was_sent_behind_waits_in_order)
{
	static const struct sockjs_header kind = { "kind", "state" };
	const struct sockjs_publication other = { .destination = "/topic/y",
		.headers = &kind,
		.header_count = 1,
		.body = "new",
		.len = 3 };
	const struct sockjs_publication to_handler = {
		.destination = "/app/say/more", .body = "more", .len = 4
	};

	start(63, NULL);
	come(&a, "login:ann\npasscode:secret\n");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/*\nreceipt:r1\n\n@SEND\ndestination:/topic/"
	        "x\nreceipt:r2\n\nold@");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:r3\n\nthird@");
	say(&a, "SUBSCRIBE\nid:2\ndestination:/app/state/now\nreceipt:r4\n\n@DISCONNECT\nreceipt:"
	        "r5\n\n@");
	hear("[authenticate ann secret]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.who = &(struct sockjs_identity){ .user = "ann" }), 0);
	hear("[connect ann]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "CONNECTED\n");
	hear("[connected ann][subscribe /topic/* 1]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "RECEIPT\nreceipt-id:r1\n");
	hear("[incoming /topic/x old]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "destination:/topic/y\nkind:state\ncontent-length:3\n\nnew");
	hear("[incoming /topic/x third]");
	ck_assert_int_eq(GIVE(.p = &to_handler), 0);
	hear("[handler /app/say/more more]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:r3\n");
	hear("[subscribe /app/state/now 2]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[answer /app/state/now]");
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "subscription:2\n");
	raw_expect(&a, "destination:/app/state/now\nkind:state\ncontent-length:3\n\nnew");
	raw_expect(&a, "RECEIPT\nreceipt-id:r4\n");
	raw_expect(&a, "RECEIPT\nreceipt-id:r5\n");
	raw_close(&a);
	hear("[disconnected 1000 ][gone 1000 -]");
}
END_TEST

static const struct refusal {
	unsigned about;
	int status;
	const char *sentence, *error, *body;
} refusals[] = {
	{ AUTHENTICATE, -EACCES, "Who?", "message:Not authenticated\ncode:4620\n", "\n\nWho?" },
	{ AUTHENTICATE, -EHOSTUNREACH, NULL, "message:Backend failed\ncode:4643\n",
	    "\n\nBackend failed" },
	{ CONNECT, -EACCES, "Not today.", "message:Access denied\ncode:4630\n", "\n\nNot today." },
	{ CONNECT, -EAGAIN, NULL, "message:Busy\ncode:4641\n", "\n\nBusy" },
	{ SUBSCRIBE, -ENOENT, "No such room.",
	    "message:No such destination\ncode:4632\nreceipt-id:r\n", "\n\nNo such room." },
	{ INCOMING, -EPERM, "Rude.",
	    "message:Refused by the application\ncode:4631\nreceipt-id:r\n", "\n\nRude." },
	{ HANDLER, -EHOSTUNREACH, "It sleeps.", "message:Backend failed\ncode:4643\nreceipt-id:r\n",
	    "\n\nIt sleeps." },
	{ ANSWER, -ENOMEM, NULL, "message:Internal error\ncode:4642\nreceipt-id:r\n",
	    "\n\nInternal" },
};
#define REFUSALS (int)(sizeof(refusals) / sizeof(*refusals))

static const char *const frames[] = {
	[SUBSCRIBE] = "SUBSCRIBE\nid:1\ndestination:/topic/x\nreceipt:r\n\n@",
	[INCOMING] = "SEND\ndestination:/topic/x\nreceipt:r\n\nx@",
	[HANDLER] = "SEND\ndestination:/app/say/x\nreceipt:r\n\nx@",
	[ANSWER] = "SUBSCRIBE\nid:1\ndestination:/app/state/x\nreceipt:r\n\n@",
};

/* The last that the application is told before it has to think. */
static const char *const questions[] = {
	[AUTHENTICATE] = "[authenticate - -]",
	[CONNECT] = "[connect ]",
	[SUBSCRIBE] = "[subscribe /topic/x 1]",
	[INCOMING] = "[incoming /topic/x x]",
	[HANDLER] = "[handler /app/say/x x]",
	[ANSWER] = "[answer /app/state/x]",
};

START_TEST(each_stage_may_be_refused_later_with_a_sentence)
{
	const struct refusal *r = &refusals[_i];

	start(r->about, NULL);
	come(&a, "");
	if (r->about > CONNECT) {
		hear("[authenticate - -][connect ][connected ]");
		say(&a, frames[r->about]);
	}
	hear_of(questions[r->about]);
	ck_assert_int_eq(GIVE(.status = r->status, .sentence = r->sentence), 0);
	raw_expect(&a, "ERROR\n");
	raw_expect(&a, r->error);
	raw_expect(&a, r->body);
	ck_assert_int_ne(GIVE(.status = 0), 0); /* once */
}
END_TEST

START_TEST(with_errors_kept_a_refusal_concerns_its_frame_alone)
{
	static const char *const options[] = { "stomp.errors", "keep", NULL };

	start(INCOMING, options);
	come_in(&a, "");
	hear("[authenticate - -][connect ][connected ]");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:1\n\none@SEND\ndestination:/topic/"
	        "x\nreceipt:2\n\ntwo@");
	hear("[incoming /topic/x one]");
	ck_assert_int_eq(GIVE(.status = -EPERM, .sentence = "Not one."), 0);
	raw_expect(&a, "ERROR\nmessage:Refused by the application\ncode:4631\nreceipt-id:1\n");
	raw_expect(&a, "Not one.");
	hear("[incoming /topic/x two]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:2\n");
}
END_TEST

START_TEST(what_is_no_decision_decides_nothing)
{
	const struct sockjs_header nameless = { "", "x" };
	const struct sockjs_publication bad = { .headers = &nameless, .header_count = 1 },
	                                worse = { .body = NULL, .len = 3 },
	                                good = { .body = "new", .len = 3 };

	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/topic/x");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	say(&a, "SEND\ndestination:/topic/x\n\nold@");
	hear("[incoming /topic/x old]");
	ck_assert_int_eq(GIVE(.p = &bad), -EINVAL);
	ck_assert_int_eq(GIVE(.p = &worse), -EINVAL);
	ck_assert_int_eq(GIVE(.status = SOCKJS_LATER), -EINVAL);
	ck_assert_int_eq(GIVE(.status = 0, .sentence = "no refusal"), -EINVAL);
	ck_assert_int_eq(GIVE(.p = &good), 0); /* without a destination: its own */
	raw_expect(&a, "destination:/topic/x\ncontent-length:3\n\nnew");
	ck_assert_int_eq(GIVE(.status = 0), -EALREADY);
	ck_assert_int_eq(GIVE(.status = 0, .sentence = "no refusal"), -EALREADY);
}
END_TEST

START_TEST(a_transaction_commits_what_was_decided_later)
{
	const struct sockjs_publication other = { .body = "second", .len = 6 };

	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/topic/x");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	say(&a,
	    "BEGIN\ntransaction:t\n\n@SEND\ndestination:/topic/x\ntransaction:t\n\nfirst@SEND"
	    "\ndestination:/topic/x\ntransaction:t\n\nnext@COMMIT\ntransaction:t\nreceipt:c\n\n@");
	hear("[incoming /topic/x first]");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[incoming /topic/x next]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.p = &other), 0);
	raw_expect(&a, "\n\nfirst");
	raw_expect(&a, "\n\nsecond");
}
END_TEST

START_TEST(a_queue_gives_its_receipt_for_what_was_decided_later)
{
	start(INCOMING, NULL);
	come_in(&a, "");
	subscribe(&a, "1", "/queue/x");
	hear("[authenticate - -][connect ][connected ][subscribe /queue/x 1]");
	say(&a, "SEND\ndestination:/queue/x\nreceipt:q\n\nhello@");
	hear("[incoming /queue/x hello]");
	raw_expect_silence(&a, 30);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "receipt-id:q\n");
}
END_TEST

static int decide_for_other(
    struct sockjs_client *from, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	ck_assert_ptr_ne(guests[0].c, from);
	ck_assert_int_eq(sockjs_client_decide(guests[0].c, 0, NULL), 0);
	return 0;
}

/* Both are in one reactor. */
START_TEST(one_client_may_decide_about_another_within_its_own_frame)
{
	static const struct sockjs_broker_hooks hooks = { .subscribe = on_subscribe };
	static const char *const one_thread[] = { "threads", "1", NULL };
	struct sockjs_options *o = sockjs_options_new();
	char why[100];

	slow = SUBSCRIBE;
	story[0] = '\0';
	gateway_init(&gateway, one_thread);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	ck_assert_int_eq(sockjs_broker_new(&broker, gateway.server, o, why, sizeof(why)), 0);
	sockjs_options_free(o);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/decide", decide_for_other, NULL), 0);
	run(NULL);
	come_in(&a, "");
	come_in(&b, "");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/x\nreceipt:a1\n\n@SEND\ndestination:/topic/"
	        "x\nheader:wrapped\nreceipt:a2\n\nhello@");
	hear("[subscribe /topic/x 1]");
	say(&b, "SEND\ndestination:/app/decide\nreceipt:b\n\n@SEND\ndestination:/topic/"
	        "y\nreceipt:b2\n\n@");
	raw_expect(&b, "RECEIPT\nreceipt-id:b\n");
	raw_expect(&b, "RECEIPT\nreceipt-id:b2\n");
	raw_expect(&a, "RECEIPT\nreceipt-id:a1\n");
	raw_expect(&a, "\n\nhello");
	raw_expect(&a, "RECEIPT\nreceipt-id:a2\n");
}
END_TEST

/* --- time
 * ----------------------------------------------------------------------------------------- */

START_TEST(heart_beats_go_on_while_a_frame_waits_and_its_client_is_not_silent)
{
	static const char *const options[] = { "stomp.heartbeat_ms", "100,100", NULL };

	start(INCOMING, options);
	come_in(&a, "heart-beat:100,100\n");
	say(&a, "SEND\ndestination:/topic/x\nreceipt:1\n\nx@");
	hear("[authenticate - -][connect ][connected ][incoming /topic/x x]");
	for (int i = 0; i < 6; i++)
		raw_ws_expect_text(&a, "\n");
	ck_assert_int_eq(GIVE(.status = 0), 0);
	raw_expect(&a, "RECEIPT\nreceipt-id:1\n");
	raw_expect(&a, "No"); /* but now it is: "Nothing came" */
}
END_TEST

START_TEST(an_application_has_all_the_time_for_connect)
{
	static const char *const options[] = { "stomp.connect_timeout_ms", "100", NULL };

	start(AUTHENTICATE | CONNECT, options);
	come(&a, "");
	hear("[authenticate - -]");
	raw_expect_silence(&a, 250);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	hear("[connect ]");
	raw_expect_silence(&a, 250);
	ck_assert_int_eq(GIVE(.status = 0), 0);
	expect_frame(&a, "CONNECTED\n");
}
END_TEST

/* --- who it is
 * -------------------------------------------------------------------------------------- */

static const char *const closed[] = { "stomp.access",
	"[{\"destination\":\"/topic/{claim.team}/*\",\"subscribe\":{\"roles\":[\"editor\"]}}]",
	"stomp.users",
	"[{\"login\":\"bob\",\"password\":\"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]",
	"stomp.anonymous", "false", NULL };

START_TEST(access_rules_see_the_roles_and_claims_that_the_application_gives)
{
	static const char *const roles[] = { "writer", "editor" };
	static const struct sockjs_identity who = {
		.user = "ann", .roles = roles, .role_count = 2, .claims = "{\"team\":\"red\"}"
	};

	start(AUTHENTICATE, closed);
	come(&a, "login:ann\npasscode:known elsewhere\n");
	hear("[authenticate ann known elsewhere]");
	ck_assert_int_eq(GIVE(.who = &who), 0);
	expect_frame(&a, "CONNECTED\n");
	hear("[connect ann][connected ann]");
	subscribe(&a, "1", "/topic/red/x");
	say(&a, "SUBSCRIBE\nid:2\ndestination:/topic/blue/x\n\n@");
	raw_expect(&a, "ERROR\nmessage:Access denied\n");
}
END_TEST

START_TEST(without_a_name_it_is_as_if_nobody_had_been_asked)
{
	start(_i ? AUTHENTICATE : 0, closed);
	come(&a, "login:bob\npasscode:wrong\n");
	hear("[authenticate bob wrong]");
	if (_i)
		ck_assert_int_eq(GIVE(.who = &(struct sockjs_identity){ .user = "" }), 0);
	raw_expect(&a, "ERROR\nmessage:Not authenticated\ncode:4620\n");
	come(&b, "");
	raw_close(&a);
	hear("[gone 4620 -]");
}
END_TEST

static int refuse_all(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)c, (void)p, (void)arg;
	tell("[asked]");
	return -EACCES;
}

START_TEST(who_was_refused_too_often_is_not_asked_about_again)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = refuse_all };
	static const char *const options[] = { "stomp.max_failures_per_minute", "2", NULL };

	prepare(options);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	run(NULL);
	for (int i = 0; i < 2; i++) {
		come(&a, "");
		raw_expect(&a, "ERROR\nmessage:Not authenticated\ncode:4620\n");
		raw_close(&a);
		hear("[asked]");
	}
	come(&a, "");
	raw_expect(&a, "ERROR\nmessage:Too many failures\ncode:4622\n");
	hear("");
}
END_TEST

START_TEST(a_session_ends_with_the_identity_that_the_application_gave_it)
{
	const struct sockjs_identity who = { .user = "ann",
		.expires_at = (unsigned long long)time(NULL) + 2 };

	start(CONNECT, NULL);
	come(&a, "");
	hear("[authenticate - -][connect ]");
	ck_assert_int_eq(GIVE(.who = &who), 0);
	expect_frame(&a, "CONNECTED\n");
	raw_expect(&a, "ERROR\nmessage:Token expired\ncode:4621\n");
	raw_close(&a);
	hear("[connected ann][disconnected 4621 Token expired][gone 4621 -]");
	come(&a, ""); /* and one that is over already does not begin */
	hear("[authenticate - -][connect ]");
	ck_assert_int_eq(
	    GIVE(.who = &(struct sockjs_identity){ .user = "ann", .expires_at = 1 }), 0);
	raw_expect(&a, "ERROR\nmessage:Token expired\ncode:4621\n");
	raw_close(&a);
	hear("[gone 4621 -]");
}
END_TEST

static int check_names(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	static const char *const roles[] = { "editor", NULL };
	static char longest[300];
	struct sockjs_identity who = { .user = longest };

	(void)p, (void)arg;
	memset(longest, 'x', sizeof(longest) - 1);
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.user = NULL;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.user = "ann";
	who.claims = "[1]";
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.claims = "{";
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.claims = "{}";
	who.roles = roles;
	who.role_count = 2;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EINVAL);
	who.role_count = 1;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), 0);
	ck_assert_int_eq(sockjs_client_set_user(c, "eve"), 0); /* the roles stay */
	ck_assert(sockjs_client_has_role(c, "editor"));
	return 0;
}

static int check_too_late(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	struct sockjs_identity who = { .user = "eve" };

	(void)p, (void)arg;
	ck_assert_int_eq(sockjs_client_set_identity(c, &who), -EBUSY);
	tell("[incoming %s]", sockjs_client_user(c));
	return 0;
}

START_TEST(an_identity_is_checked_and_given_only_where_it_is_asked_for)
{
	static const struct sockjs_broker_hooks hooks = { .connect = check_names,
		.incoming = check_too_late };

	start_with_hooks(&hooks);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[incoming eve]");
}
END_TEST

/* --- the end of those who wait
 * -------------------------------------------------------------------- */

START_TEST(who_leaves_while_it_waits_is_gone_once_and_needs_no_decision)
{
	unsigned about = _i ? CONNECT : AUTHENTICATE;

	start(about, NULL);
	come(&a, "");
	hear_of(questions[about]);
	raw_reset(&a);
	raw_close(&a);
	hear("[gone 1002 -]");
	ck_assert_int_eq(GIVE(.status = 0), -EPIPE);
}
END_TEST

START_TEST(who_leaves_amid_a_frame_has_been_connected)
{
	start(SUBSCRIBE, NULL);
	come_in(&a, "");
	say(&a, "SUBSCRIBE\nid:1\ndestination:/topic/x\n\n@");
	hear("[authenticate - -][connect ][connected ][subscribe /topic/x 1]");
	raw_reset(&a);
	raw_close(&a);
	hear("[disconnected 1002 Connection interrupted][gone 1002 -]");
	ck_assert_int_eq(GIVE(.status = 0), -EPIPE);
}
END_TEST

static void send_home(struct sockjs_session *s, void *arg)
{
	(void)s;
	sockjs_client_disconnect(guests[0].c, "Go home.");
	*(atomic_bool *)arg = true;
}

START_TEST(who_is_sent_away_while_it_waits_needs_no_decision)
{
	static atomic_bool sent;

	start(INCOMING, NULL);
	come_in(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[authenticate - -][connect ][connected ][incoming /topic/x x]");
	sent = false;
	ck_assert_int_eq(sockjs_ref_call(guests[0].ref, send_home, &sent), 0);
	raw_expect(&a, "Go home.");
	ck_assert_int_ne(GIVE(.status = 0), 0);
	raw_close(&a);
	hear("[disconnected 4624 Disconnected by the operator][gone 4624 -]");
}
END_TEST

static int name_ann(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return sockjs_client_set_user(c, "ann");
}

START_TEST(a_takeover_ends_one_that_waits)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = name_ann,
		.incoming = on_incoming,
		.disconnected = on_disconnected,
		.gone = on_gone };

	slow = INCOMING;
	start_with_hooks(&hooks);
	come_in(&a, "client-id:tab\n");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear("[incoming /topic/x x]");
	come_in(&b, "client-id:tab\n");
	raw_expect(&a, "ERROR\nmessage:Replaced by a newer connection\ncode:4623\n");
	ck_assert_int_ne(GIVE(.status = 0), 0);
	raw_close(&a);
	hear("[disconnected 4623 Replaced by a newer connection][gone 4623 -]");
}
END_TEST

START_TEST(a_server_that_stops_waits_for_nobodys_word)
{
	static const unsigned stages[] = { AUTHENTICATE, CONNECT, INCOMING };

	start(stages[_i], NULL);
	come(&a, "");
	say(&a, "SEND\ndestination:/topic/x\n\nx@");
	hear_of(questions[stages[_i]]);
	sockjs_server_stop(gateway.server);
	raw_expect_end(&a);
	gateway_wait(&gateway);
	hear_of("[gone 1001 ");
}
END_TEST

static int keep_data(struct sockjs_handshake *h, struct sockjs_client *c, void *arg)
{
	(void)arg;
	ck_assert_ptr_null(sockjs_client_data(c));
	sockjs_client_set_data(c, (void *)(uintptr_t) "kept");
	tell("[handshake]");
	return *sockjs_handshake_query(h) ? 403 : 0;
}

START_TEST(everybody_whom_the_application_has_heard_of_is_gone_once)
{
	static const struct sockjs_broker_hooks hooks = { .handshake = keep_data, .gone = on_gone };
	static const char *const options[] = { "stomp.connect_timeout_ms", "100", NULL };

	prepare(options);
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	run(NULL);
	raw_open(&a, gateway.port);
	raw_ws_ask(&a, "/stomp/websocket?refused", "");
	raw_expect(&a, "HTTP/1.1 403 ");
	hear("[handshake][gone 0 kept]");
	raw_close(&a);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/stomp");
	raw_expect(&a, "No CONNECT frame came.");
	raw_close(&a);
	hear("[handshake][gone 4602 kept]");
	come_in(&a, "");
	raw_ws_close(&a, 3333, "tired");
	raw_close(&a);
	hear("[handshake][gone 3333 kept]");
}
END_TEST

START_TEST(who_was_never_asked_about_is_not_gone)
{
	static const struct sockjs_broker_hooks hooks = { .incoming = on_incoming,
		.gone = on_gone };

	slow = 0;
	start_with_hooks(&hooks);
	raw_open(&a, gateway.port);
	raw_ws_open(&a, "/stomp");
	say(&a, "SEND\ndestination:/topic/x\n\n@");
	raw_expect(&a, "ERROR\nmessage:Not connected\n");
	raw_close(&a);
	come_in(&b, "");
	raw_ws_close(&b, 1000, "");
	raw_close(&b);
	hear("[gone 1000 -]");
}
END_TEST

/* --- many
 * --------------------------------------------------------------------------------------------- */

struct question {
	struct sockjs_client *c;
	struct sockjs_ref *ref;
};

static void answer_question(struct sockjs_session *s, void *arg)
{
	struct question *q = arg;

	if (s)
		ck_assert_int_eq(sockjs_client_decide(q->c, 0, NULL), 0);
	sockjs_ref_free(q->ref);
	free(q);
}

/* In the next turn. */
static int soon(struct sockjs_client *c)
{
	struct question *q = malloc(sizeof(*q));

	*q = (struct question){ c, sockjs_session_ref(sockjs_client_session(c)) };
	ck_assert_int_eq(sockjs_ref_call(q->ref, answer_question, q), 0);
	return SOCKJS_LATER;
}

static int soon_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return soon(c);
}

static int soon_subscribe(
    struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	(void)destination, (void)id, (void)arg;
	return soon(c);
}

static int soon_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	(void)p, (void)arg;
	return soon(c);
}

static atomic_uint here, left;

static void count_here(struct sockjs_client *c, void *arg)
{
	(void)c, (void)arg;
	here++;
}

static void count_left(struct sockjs_client *c, void *arg)
{
	(void)c, (void)arg;
	left++;
}

START_TEST(in_several_reactors_nothing_is_lost_nor_out_of_order)
{
	static const struct sockjs_broker_hooks hooks = { .authenticate = soon_connect,
		.connect = soon_connect,
		.connected = count_here,
		.subscribe = soon_subscribe,
		.incoming = soon_incoming,
		.gone = count_left };
	static struct raw_client crowd[12];
	char text[80];

	here = left = 0;
	start_with_hooks(&hooks);
	come_in(&b, "");
	subscribe(&b, "1", "/topic/**");
	for (int i = 0; i < 12; i++) {
		come(&crowd[i], "");
		for (int j = 0; j < 30; j++) {
			snprintf(
			    text, sizeof(text), "SEND\ndestination:/topic/%d\n\n%d.%d;@", i, i, j);
			say(&crowd[i], text);
		}
		say(&crowd[i], "DISCONNECT\nreceipt:bye\n\n@");
	}
	for (int i = 0; i < 12; i++)
		raw_expect(&crowd[i], "RECEIPT\nreceipt-id:bye\n");
	for (int n = 0, next[12] = { 0 }; n < 12 * 30; n++) {
		char frame[500], *body;
		unsigned opcode;
		int i, j;

		frame[raw_ws_next(&b, &opcode, frame, sizeof(frame) - 1)] = '\0';
		body = strstr(frame, "\n\n");
		ck_assert_ptr_nonnull(body);
		ck_assert_int_eq(sscanf(body, "\n\n%d.%d;", &i, &j), 2);
		ck_assert_int_eq(j, next[i]++);
	}
	for (int i = 0; i < 12; i++)
		raw_close(&crowd[i]);
	for (int i = 0; i < 5000 && left < 12; i++)
		usleep(1000);
	ck_assert_uint_eq(here, 13);
	ck_assert_uint_eq(left, 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sockjs_broker_later");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, NULL, end);
	tcase_add_test(
	    tc, every_stage_may_be_decided_later_and_what_was_sent_behind_waits_in_order);
	tcase_add_loop_test(tc, each_stage_may_be_refused_later_with_a_sentence, 0, REFUSALS);
	tcase_add_test(tc, with_errors_kept_a_refusal_concerns_its_frame_alone);
	tcase_add_test(tc, what_is_no_decision_decides_nothing);
	tcase_add_test(tc, a_transaction_commits_what_was_decided_later);
	tcase_add_test(tc, a_queue_gives_its_receipt_for_what_was_decided_later);
	tcase_add_test(tc, one_client_may_decide_about_another_within_its_own_frame);
	tcase_add_test(tc, heart_beats_go_on_while_a_frame_waits_and_its_client_is_not_silent);
	tcase_add_test(tc, an_application_has_all_the_time_for_connect);
	tcase_add_test(tc, access_rules_see_the_roles_and_claims_that_the_application_gives);
	tcase_add_loop_test(tc, without_a_name_it_is_as_if_nobody_had_been_asked, 0, 2);
	tcase_add_test(tc, who_was_refused_too_often_is_not_asked_about_again);
	tcase_add_test(tc, a_session_ends_with_the_identity_that_the_application_gave_it);
	tcase_add_test(tc, an_identity_is_checked_and_given_only_where_it_is_asked_for);
	tcase_add_loop_test(tc, who_leaves_while_it_waits_is_gone_once_and_needs_no_decision, 0, 2);
	tcase_add_test(tc, who_leaves_amid_a_frame_has_been_connected);
	tcase_add_test(tc, who_is_sent_away_while_it_waits_needs_no_decision);
	tcase_add_test(tc, a_takeover_ends_one_that_waits);
	tcase_add_loop_test(tc, a_server_that_stops_waits_for_nobodys_word, 0, 3);
	tcase_add_test(tc, everybody_whom_the_application_has_heard_of_is_gone_once);
	tcase_add_test(tc, who_was_never_asked_about_is_not_gone);
	tcase_add_test(tc, in_several_reactors_nothing_is_lost_nor_out_of_order);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
