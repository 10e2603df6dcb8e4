/*
 * The application that misbehaves, over a fake of sockjs.h: what its wishes are, what it does about
 * them, what it keeps. Commands over the wire are in tests/api.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/command.h"
#include "server/saved.h"
#include "snapshot_damage.h"
#include "unruly/unruly.h"

/* --- a fake library: one session, one command ------------------------------------------------ */

struct sockjs_handshake {
	const char *path;
	void *user;
};

struct sockjs_session {
	void *user;
	const char *transport;
	unsigned sent, timer, code, refused;
	bool paused, fails, accepted, binary;
	char text[64], reason[124], name[65];
};

struct sockjs_command {
	json_t *arguments, *answer;
	char refusal[64];
};

static struct sockjs_session s;
static struct sockjs_command command;
static struct unruly *u;
static int send_result, timer_result;
static void (*later_fn)(void *arg);
static char later_arg[64];
static uint64_t now;
static bool moves; /* to another process before each step */

const char *sockjs_handshake_path(const struct sockjs_handshake *h)
{
	return h->path;
}

void sockjs_handshake_set_user(struct sockjs_handshake *h, void *user)
{
	h->user = user;
}

int sockjs_accept(struct sockjs_session *of, const char *subprotocol)
{
	ck_assert_ptr_null(subprotocol);
	of->accepted = true;
	return 0;
}

int sockjs_refuse(struct sockjs_session *of, unsigned status, unsigned code, const char *reason)
{
	of->refused = status;
	sockjs_close(of, code, reason);
	return 0;
}

int sockjs_send(struct sockjs_session *to, const void *text, size_t len)
{
	snprintf(to->text, sizeof(to->text), "%.*s", (int)len, (const char *)text);
	to->sent++;
	to->binary = false;
	return send_result;
}

int sockjs_send_binary(struct sockjs_session *to, const void *data, size_t len)
{
	int result = sockjs_send(to, data, len);

	to->binary = true;
	return result;
}

void sockjs_close(struct sockjs_session *of, unsigned code, const char *reason)
{
	if (of->code)
		return;
	of->code = code;
	snprintf(of->reason, sizeof(of->reason), "%s", reason);
}

void sockjs_pause(struct sockjs_session *of)
{
	of->paused = true;
}

void sockjs_resume(struct sockjs_session *of)
{
	of->paused = false;
}

void sockjs_fail_sends(struct sockjs_session *of, int on)
{
	of->fails = on != 0;
}

int sockjs_set_timer(struct sockjs_session *of, unsigned ms)
{
	of->timer = ms;
	return timer_result;
}

void *sockjs_user(const struct sockjs_session *of)
{
	return of->user;
}

void sockjs_set_user(struct sockjs_session *of, void *user)
{
	of->user = user;
}

void sockjs_set_user_name(struct sockjs_session *of, const char *name)
{
	snprintf(of->name, sizeof(of->name), "%s", name);
}

unsigned long long sockjs_id(const struct sockjs_session *of)
{
	(void)of;
	return 17;
}

const char *sockjs_transport(const struct sockjs_session *of)
{
	return of->transport;
}

int sockjs_reactor(const struct sockjs_server *server)
{
	(void)server;
	return 0;
}

int sockjs_reactor_later(struct sockjs_server *server, unsigned ms, void (*fn)(void *arg),
    void (*done)(void *arg), const void *arg, size_t size)
{
	(void)server, (void)ms, (void)done;
	if (timer_result < 0)
		return timer_result;
	later_fn = fn;
	memcpy(later_arg, arg, size);
	return 0;
}

const json_t *command_arguments(const struct sockjs_command *c)
{
	return c->arguments;
}

bool command_has_only(struct sockjs_command *c, const char *const *names)
{
	(void)c, (void)names;
	return true;
}

void sockjs_command_refuse(struct sockjs_command *c, unsigned status, const char *code,
    const char *field, const char *sentence)
{
	(void)sentence;
	snprintf(c->refusal, sizeof(c->refusal), "%u %s %s", status, code, field ? field : "-");
}

void command_refuse_argument(struct sockjs_command *c, const char *name, const char *format, ...)
{
	(void)format;
	sockjs_command_refuse(c, 400, "wrong_argument", name, "");
}

void command_no_memory(struct sockjs_command *c)
{
	sockjs_command_refuse(c, 503, "no_memory", NULL, "");
}

bool command_string(struct sockjs_command *c, const char *name, bool is_needed, const char **out)
{
	(void)is_needed;
	*out = json_string_value(json_object_get(c->arguments, name));
	return true;
}

bool command_integer(
    struct sockjs_command *c, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const json_t *value = json_object_get(c->arguments, name);

	if (value)
		*out = json_integer_value(value);
	return !value || (*out >= least && *out <= most);
}

int command_set_body(json_t *object, const char *p, size_t n)
{
	return json_object_set_new(object, "body", json_stringn(p, n));
}

void command_answer(struct sockjs_command *c, json_t *answer)
{
	if (answer)
		c->answer = answer;
	else
		command_no_memory(c);
}

/* --- another process -------------------------------------------------------------------------- */

static void must_snapshot(int err, const struct snapshot *written)
{
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(snapshot_error(written), 0);
}

static void write_all(struct snapshot *written)
{
	struct sockjs_saved to = { written };

	snapshot_init_write(written);
	must_snapshot(unruly_callbacks.save(NULL, &to, u), written);
	if (s.user)
		must_snapshot(unruly_callbacks.save(&s, &to, u), written);
}

/* The old one lets go of what it has, without a word to anybody. */
static void forget(struct unruly *old, struct sockjs_session session)
{
	if (session.user)
		unruly_callbacks.close(&session, 1000, "", old);
	unruly_free(old);
}

static void move(void)
{
	struct snapshot written, read;
	struct sockjs_saved from = { &read };
	struct sockjs_session before = s;
	struct unruly *old = u;

	write_all(&written);
	u = unruly_new(NULL);
	snapshot_init_read(&read, (struct bytes){ buf_data(&written.out), buf_len(&written.out) }, NULL, 0);
	s.user = NULL;
	must_snapshot(unruly_callbacks.restore(NULL, &from, u), &read);
	if (before.user)
		must_snapshot(unruly_callbacks.restore(&s, &from, u), &read);
	ck_assert_uint_eq(snapshot_left(&read), 0);
	ck_assert_uint_eq(s.sent, before.sent);
	forget(old, before);
	snapshot_fini(&written);
	snapshot_fini(&read);
}

/* --- scenes ------------------------------------------------------------------------------------ */

static void setup(void)
{
	moves = false;
	memset(&s, 0, sizeof(s));
	memset(&command, 0, sizeof(command));
	s.transport = "xhr_streaming";
	send_result = timer_result = 0;
	later_fn = NULL;
	clock_set(now = 1000);
	u = unruly_new(NULL);
	ck_assert_ptr_nonnull(u);
}

static void setup_moving(void)
{
	setup();
	moves = true;
}

static void forget_command(void)
{
	json_decref(command.arguments);
	json_decref(command.answer);
	memset(&command, 0, sizeof(command));
}

static void leave(void)
{
	if (s.user)
		unruly_callbacks.close(&s, s.code ? s.code : 1000, s.reason, u);
	s.user = NULL;
}

static void teardown(void)
{
	leave();
	forget_command();
	unruly_free(u);
	clock_set(0);
}

/* What the handshake says. */
static int come(const char *path)
{
	struct sockjs_handshake h = { path, NULL };
	int status = unruly_callbacks.handshake(&h, u);

	s.user = h.user;
	if (status == 0)
		unruly_callbacks.open(&s, u);
	else if (status == SOCKJS_LATER)
		unruly_callbacks.connecting(&s, u);
	return status;
}

static void hear(const char *text)
{
	if (moves)
		move();
	unruly_callbacks.message(&s, &(struct sockjs_message){ text, strlen(text), 0 }, u);
}

/* Time passes, and the timer if it was set. */
static void pass(unsigned ms)
{
	bool fires;

	if (moves)
		move();
	fires = s.timer > 0 && s.timer <= ms;
	clock_set(now += ms);
	if (fires) {
		s.timer = 0;
		unruly_callbacks.timer(&s, u);
	}
}

static void ask(const char *json)
{
	if (moves)
		move();
	forget_command();
	command.arguments = json_loads(json, 0, NULL);
	ck_assert_ptr_nonnull(command.arguments);
	unruly_callbacks.command(&command, u);
}

static json_int_t answered(const char *name)
{
	ck_assert_msg(command.answer != NULL, "no answer: %s", command.refusal);
	return json_integer_value(json_object_get(command.answer, name));
}

/* --- wishes -------------------------------------------------------------------------------------- */

static const struct {
	const char *path, *why;
} nonsense[] = {
	{ "/bogus", "bogus: no such wish" },
	{ "/delay", "delay: needs milliseconds" },
	{ "/delay-0", "delay-0: needs milliseconds" },
	{ "/delay-60001", "delay-60001: needs" },
	{ "/delay-1x", "delay-1x: needs" },
	{ "/delay--1", "delay--1: needs" },
	{ "/delay-99999999999999999999", "delay-99999999999999999999: needs" },
	{ "/delay-", "delay-: nothing stands" },
	{ "/twice/twice", "twice: this is said twice" },
	{ "/twice-2", "twice-2: takes nothing" },
	{ "/drop-0", "drop-0: needs N" },
	{ "/drop-every-", "drop-every-: needs N" },
	{ "/silent-3", "silent-3: takes nothing, or after-N" },
	{ "/silent-after-", "silent-after-: takes" },
	{ "/oom-after-1000001", "oom-after-1000001: takes" },
	{ "/close", "close: needs a code" },
	{ "/close-999", "close-999: needs a code" },
	{ "/close-1006", "close-1006: needs a code" },
	{ "/close-2999-after-1", "close-2999-after-1: needs a code" },
	{ "/close-5000", "close-5000: needs a code" },
	{ "/close-4001-", "close-4001-: takes -after-N" },
	{ "/close-4001-in-0", "close-4001-in-0: needs milliseconds" },
	{ "/close-4001-soon", "close-4001-soon: takes nothing, or after-N" },
	{ "/reason-x", "reason: this means nothing without close" },
	{ "/close-4001/reason-%ff", "reason-%ff: needs 1 to 123 octets" },
	{ "/close-4001/reason-%00", "reason-%00: needs 1 to 123 octets" },
	{ "/close-4001/reason-%4", "reason-%4: needs 1 to 123 octets" },
	{ "/name-a%20b", "name-a%20b: needs 1 to 64" },
	{ "/refuse-399", "refuse-399: needs a status" },
	{ "/delay-5/refuse-600", "refuse-600: needs a status" },
	{ "/\x01\xff", "??: no such wish" },
	{ "/", ": no such wish" },
};

START_TEST(nonsense_is_refused_with_a_sentence)
{
	struct wishes w;
	char why[124] = "";

	ck_assert_int_eq(wishes_read(&w, nonsense[_i].path, why), -EINVAL);
	ck_assert_msg(strncmp(why, nonsense[_i].why, strlen(nonsense[_i].why)) == 0, "%s", why);
	ck_assert_uint_eq(w.delay_ms, 0); /* nothing is wished for */
	ck_assert_int_eq(come(nonsense[_i].path), 0);
	ck_assert_uint_eq(s.code, UNRULY_NO_SENSE);
	ck_assert_str_eq(s.reason, why);
}
END_TEST

START_TEST(any_segment_fits_in_a_reason)
{
	char path[2000], why[124] = "";
	struct wishes w;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(wishes_read(&w, path, why), -EINVAL);
	ck_assert_uint_le(strlen(why), 123);
	memcpy(path, "/name-", 6);
	ck_assert_int_eq(wishes_read(&w, path, why), -EINVAL);
	memcpy(path, "/close-4001/reason-", 19);
	ck_assert_int_eq(wishes_read(&w, path, why), -EINVAL);
	ck_assert_uint_le(strlen(why), 123);
}
END_TEST

START_TEST(all_wishes_together)
{
	struct wishes w;
	char why[124] = "";

	ck_assert_msg(wishes_read(&w,
	                  "/name-a.B_9~-z/delay-1/twice/drop-2/silent-after-3/slow-4/deaf-after-5"
	                  "/fail/close-3000-in-6/reason-%C3%A4%20b/oom-after-0/hold-7/refuse-503",
	                  why) == 0,
	    "%s", why);
	ck_assert_str_eq(w.name, "a.B_9~-z");
	ck_assert_str_eq(w.reason, "\xc3\xa4 b");
	ck_assert_uint_eq(w.delay_ms, 1);
	ck_assert_uint_eq(w.drop, 2);
	ck_assert_uint_eq(w.silent_after, 3);
	ck_assert_uint_eq(w.slow_ms, 4);
	ck_assert_uint_eq(w.deaf_after, 5);
	ck_assert_uint_eq(w.fail_after, 0);
	ck_assert_uint_eq(w.close_code, 3000);
	ck_assert_uint_eq(w.close_in_ms, 6);
	ck_assert_uint_eq(w.oom_after, 0);
	ck_assert_uint_eq(w.hold_ms, 7);
	ck_assert_uint_eq(w.refuse, 503);
	ck_assert(w.is_twice);
	ck_assert_int_eq(wishes_read(&w, "", why), 0);
	ck_assert_uint_eq(w.silent_after, WISHES_NEVER);
}
END_TEST

/* --- deeds --------------------------------------------------------------------------------------- */

START_TEST(without_a_wish_it_is_an_echo)
{
	come("");
	hear("one");
	ck_assert_str_eq(s.text, "one");
	unruly_callbacks.message(&s, &(struct sockjs_message){ "\x01\x02", 2, 1 }, u);
	ck_assert(s.binary);
	ck_assert_uint_eq(s.sent, 2);
	ck_assert(!s.paused && s.timer == 0 && s.code == 0);
	send_result = SOCKJS_FULL;
	hear("x");
	ck_assert(s.paused);
	send_result = 0;
	unruly_callbacks.writable(&s, u);
	ck_assert(!s.paused);
}
END_TEST

START_TEST(delayed_answers_come_late_and_in_order)
{
	come("/delay-100/twice");
	hear("a");
	pass(50);
	hear("b");
	ck_assert_uint_eq(s.sent, 0);
	ck_assert_uint_eq(s.timer, 50);
	pass(50);
	ck_assert_uint_eq(s.sent, 2);
	ck_assert_str_eq(s.text, "a");
	pass(50);
	ck_assert_uint_eq(s.sent, 4);
	ck_assert_str_eq(s.text, "b");
	ck_assert_uint_eq(s.timer, 0);
}
END_TEST

START_TEST(too_many_delayed_answers_stop_the_reading)
{
	come("/delay-100");
	for (unsigned i = 0; i < 1024; i++)
		hear("x");
	ck_assert(s.paused);
	ck_assert_uint_gt(unruly_callbacks.held(&s, u), 1024);
	pass(100);
	ck_assert_uint_eq(s.sent, 1024);
	ck_assert(!s.paused);
	ck_assert_uint_eq(unruly_callbacks.held(&s, u), 0);
}
END_TEST

START_TEST(some_answers_are_dropped)
{
	come("/drop-every-3/silent-after-7");
	for (unsigned i = 0; i < 12; i++)
		hear("x");
	ck_assert_uint_eq(s.sent, 5); /* 1 2 4 5 7 */
	leave();
	s.sent = 0;
	come("/drop-2");
	for (unsigned i = 0; i < 4; i++)
		hear("x");
	ck_assert_uint_eq(s.sent, 3);
}
END_TEST

START_TEST(it_closes_after_the_answers)
{
	come("/close-4001-after-2/reason-enough/delay-10");
	hear("1");
	ck_assert(!s.paused);
	hear("2");
	ck_assert(s.paused);
	ck_assert_uint_eq(s.code, 0);
	pass(10);
	ck_assert_uint_eq(s.sent, 2);
	ck_assert_uint_eq(s.code, 4001);
	ck_assert_str_eq(s.reason, "enough");
}
END_TEST

START_TEST(it_closes_at_once_or_in_time)
{
	come("/close-4001");
	ck_assert_uint_eq(s.code, 4001);
	leave();
	s.code = 0;
	come("/close-4002-in-300");
	hear("1");
	ck_assert_uint_eq(s.sent, 1);
	ck_assert_uint_eq(s.timer, 300);
	pass(300);
	ck_assert_uint_eq(s.code, 4002);
}
END_TEST

START_TEST(it_reads_slowly_or_not_at_all)
{
	come("/slow-100/deaf-after-2");
	hear("1");
	ck_assert(s.paused);
	pass(100);
	ck_assert(!s.paused);
	hear("2");
	pass(100);
	ck_assert(s.paused);
	ck_assert_uint_eq(s.timer, 0);
	leave();
	s.paused = false;
	come("/deaf");
	ck_assert(s.paused);
}
END_TEST

START_TEST(sends_fail)
{
	come("/fail-after-1");
	ck_assert(!s.fails);
	hear("1");
	ck_assert(s.fails);
	hear("acknowledged already");
	ck_assert_uint_eq(s.code, 0);
	leave();
	s.fails = false;
	s.transport = "websocket";
	come("/fail");
	hear("1");
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
}
END_TEST

START_TEST(memory_is_out_when_asked_for)
{
	come("/oom-after-2");
	hear("1");
	ck_assert_uint_eq(s.sent, 1);
	hear("2");
	ck_assert_uint_eq(s.sent, 1);
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
	ck_assert_str_eq(s.reason, "Out of memory");
	hear("3"); /* does no harm */
	ck_assert_uint_eq(s.sent, 1);
}
END_TEST

START_TEST(a_handshake_is_refused_or_waits)
{
	ck_assert_int_eq(come("/refuse-503"), 503);
	ck_assert_ptr_null(s.user);
	ck_assert_int_eq(come("/hold-70"), SOCKJS_LATER);
	ck_assert_uint_eq(s.timer, 70);
	pass(70);
	ck_assert(s.accepted);
	unruly_callbacks.open(&s, u);
	hear("x");
	ck_assert_uint_eq(s.sent, 1);
	leave();
	ck_assert_int_eq(come("/hold-70/refuse-403"), SOCKJS_LATER);
	pass(70);
	ck_assert_uint_eq(s.refused, 403);
	ck_assert_uint_eq(s.code, 3403);
}
END_TEST

START_TEST(without_memory_it_is_said)
{
	struct sockjs_handshake h = { "/name-x/delay-5", NULL };

	mem_fail_at(1);
	ck_assert_int_eq(unruly_callbacks.handshake(&h, u), 503);
	ck_assert_int_eq(unruly_callbacks.handshake(&h, u), 0);
	s.user = h.user;
	mem_fail_at(1);
	unruly_callbacks.open(&s, u);
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
	leave();
	s.code = 0;
	come("/name-x/delay-5");
	mem_fail_at(2); /* the record has its copy, the answer has not */
	hear("1");
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
	leave();
	s.code = 0;
	come("/name-x");
	mem_fail_at(1); /* forgotten, but counted */
	hear("1");
	mem_fail_at(0);
	ck_assert_uint_eq(s.sent, 2 - 1);
	ask("{\"name\":\"x\"}");
	ck_assert_int_eq(answered("count"), 1);
	ck_assert_int_eq(answered("forgotten"), 1);
	leave();
	s.code = 0;
	come("/delay-5");
	timer_result = -ENOMEM;
	hear("1");
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
}
END_TEST

/* --- records --------------------------------------------------------------------------------------- */

START_TEST(what_came_is_told_in_pages)
{
	come("/name-ann/silent");
	ck_assert_str_eq(s.name, "ann");
	for (unsigned i = 0; i < 5; i++)
		hear("x");
	ask("{\"name\":\"ann\",\"limit\":3}");
	ck_assert_int_eq(answered("session"), 17);
	ck_assert_int_eq(answered("count"), 5);
	ck_assert_int_eq(answered("next"), 3);
	ask("{\"session\":17,\"after\":3,\"limit\":3}");
	ck_assert_uint_eq(json_array_size(json_object_get(command.answer, "messages")), 2);
	ck_assert(json_is_null(json_object_get(command.answer, "next")));
	leave();
	ask("{\"name\":\"ann\"}");
	ck_assert(json_is_false(json_object_get(command.answer, "open")));
	ask("{\"name\":\"bob\"}");
	ck_assert_str_eq(command.refusal, "404 no_session name");
	ask("{\"session\":18}");
	ck_assert_str_eq(command.refusal, "404 no_session session");
	ask("{\"name\":\"ann\",\"newer_than\":17}");
	ck_assert_str_eq(command.refusal, "404 no_session name");
	ask("{}");
	ck_assert_str_eq(command.refusal, "400 wrong_argument name");
}
END_TEST

START_TEST(the_oldest_are_forgotten)
{
	char *large = calloc(1, 100000);

	come("/name-ann/silent");
	for (unsigned i = 0; i < RECORD_MESSAGES + 5; i++)
		hear("x");
	ask("{\"name\":\"ann\",\"limit\":1}");
	ck_assert_int_eq(answered("forgotten"), 5);
	memset(large, 'y', 99999);
	for (unsigned i = 0; i < 5; i++)
		hear(large);
	ck_assert_uint_le(unruly_callbacks.held(&s, u), RECORD_BYTES);
	ask("{\"name\":\"ann\",\"limit\":1000}");
	ck_assert_int_eq(answered("count"), RECORD_MESSAGES + 10);
	ck_assert_uint_le(json_array_size(json_object_get(command.answer, "messages")), 4);
	ck_assert(json_is_null(json_object_get(command.answer, "next")));
	free(large);
}
END_TEST

START_TEST(what_is_over_makes_room_and_what_is_open_does_not)
{
	struct record *one[RECORDS_MOST], *more;

	for (unsigned i = 0; i < RECORDS_MOST; i++)
		ck_assert_int_eq(record_begin(&u->records, &one[i], "n", 100 + i, "xhr"), 0);
	ck_assert_int_eq(record_begin(&u->records, &more, "n", 500, "xhr"), -EBUSY);
	come("/name-late");
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_TRY_AGAIN_LATER);
	record_end(&u->records, one[3], 1000, NULL);
	ck_assert_int_eq(record_begin(&u->records, &more, "n", 500, "xhr"), 0);
	ck_assert_ptr_null(records_find(&u->records, NULL, 103, 0));
	ck_assert_ptr_eq(records_find(&u->records, "n", 0, 0), more);
}
END_TEST

START_TEST(a_command_waits_for_messages)
{
	ask("{\"name\":\"ann\",\"count\":2,\"wait_ms\":1000}");
	ck_assert_ptr_nonnull(later_fn);
	ck_assert(!unruly_is_idle(u));
	come("/name-ann");
	hear("1");
	ck_assert_ptr_null(command.answer);
	hear("2");
	ck_assert_int_eq(answered("count"), 2);
	later_fn(later_arg);
	ck_assert(unruly_is_idle(u));
}
END_TEST

START_TEST(a_command_waits_for_the_end_or_not_for_ever)
{
	come("/name-ann");
	ask("{\"name\":\"ann\",\"closed\":true,\"wait_ms\":1000}");
	later_fn(later_arg);
	ck_assert_ptr_null(command.answer);
	leave();
	ck_assert(json_is_false(json_object_get(command.answer, "timed_out")));
	come("/name-ann");
	ask("{\"name\":\"ann\",\"closed\":true,\"wait_ms\":1000}");
	clock_set(now += 1000);
	later_fn(later_arg);
	ck_assert_ptr_nonnull(command.answer);
	ck_assert(json_is_true(json_object_get(command.answer, "timed_out")));
	ask("{\"name\":\"bob\",\"wait_ms\":1000}");
	clock_set(now += 1000);
	later_fn(later_arg);
	ck_assert_str_eq(command.refusal, "404 no_session name");
	ask("{\"name\":\"ann\",\"count\":1}");
	ck_assert_str_eq(command.refusal, "400 wrong_argument count");
}
END_TEST

START_TEST(who_waits_is_refused_when_that_cannot_be)
{
	timer_result = -ENOMEM;
	ask("{\"name\":\"ann\",\"wait_ms\":1000}");
	ck_assert_str_eq(command.refusal, "503 no_memory -");
	timer_result = 0;
	ask("{\"name\":\"ann\",\"wait_ms\":1000}");
	ck_assert_str_eq(command.refusal, "");
	received_end(&u->received);
	ck_assert_str_eq(command.refusal, "503 stopping -");
	mem_fail_at(1);
	ask("{\"name\":\"ann\",\"wait_ms\":1000}");
	ck_assert_str_eq(command.refusal, "503 no_memory -");
}
END_TEST

/* --- what comes from another process may be anything ----------------------------------------------- */

static unsigned long taken, refused;

/* The session goes on, or nothing of it is there. */
static void take(struct bytes b, bool is_cut)
{
	struct snapshot read;
	struct sockjs_saved from = { &read };
	struct unruly *other = unruly_new(NULL), *mine = u;
	int err;

	snapshot_init_read(&read, b, NULL, 0);
	s = (struct sockjs_session){ .transport = "xhr_streaming" };
	u = other;
	err = unruly_callbacks.restore(NULL, &from, u);
	err = err == 0 ? unruly_callbacks.restore(&s, &from, u) : err;
	ck_assert(!is_cut || err != 0);
	if (err == 0 && s.user && s.timer)
		unruly_callbacks.timer(&s, u);
	*(err == 0 ? &taken : &refused) += 1;
	leave();
	snapshot_fini(&read);
	unruly_free(other);
	u = mine;
}

START_TEST(a_snapshot_that_is_damaged_does_no_harm)
{
	struct snapshot written;
	struct bytes whole;

	come("/name-before");
	hear("1");
	leave();
	s.code = 0;
	come("/name-ann/delay-50/close-4001-in-5000/twice");
	hear("hello");
	unruly_callbacks.message(&s, &(struct sockjs_message){ "\x01\x02", 2, 1 }, u);
	write_all(&written);
	leave();
	whole = (struct bytes){ buf_data(&written.out), buf_len(&written.out) };
	take(whole, false);
	ck_assert_uint_eq(taken, 1);
	damage_cut(whole, take);
	ck_assert_uint_eq(refused, whole.n);
	damage_flip(whole, take);
	ck_assert_uint_gt(taken, 100);
	ck_assert_uint_gt(refused, 1000);
	snapshot_fini(&written);
}
END_TEST

START_TEST(without_memory_nothing_is_left_of_what_was_read)
{
	struct snapshot written;
	bool failed = true;

	come("/name-ann/delay-50");
	hear("hello");
	write_all(&written);
	leave();
	for (unsigned long nth = 1; failed; nth++) {
		struct snapshot read;
		struct sockjs_saved from = { &read };
		int err;

		snapshot_init_read(&read, (struct bytes){ buf_data(&written.out), buf_len(&written.out) }, NULL, 0);
		ck_assert_int_eq(unruly_callbacks.restore(NULL, &from, u), 0);
		mem_fail_at(nth);
		err = unruly_callbacks.restore(&s, &from, u);
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert(err == 0 || failed); /* a message may be forgotten, though it counts */
		leave();
		snapshot_fini(&read);
	}
	snapshot_fini(&written);
}
END_TEST

START_TEST(what_another_application_has_kept_is_left_to_it)
{
	struct snapshot read;
	struct sockjs_saved from = { &read };

	snapshot_init_read(&read, BYTES("UPCN\0\0\0\0\0\0"), NULL, 0);
	ck_assert_int_ne(unruly_callbacks.restore(&s, &from, u), 0);
	ck_assert_int_eq(snapshot_error(&read), 0);
	ck_assert_ptr_null(s.user);
	snapshot_fini(&read);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, nonsense_is_refused_with_a_sentence, 0,
	    sizeof(nonsense) / sizeof(*nonsense));
	tcase_add_test(tc, any_segment_fits_in_a_reason);
	tcase_add_test(tc, all_wishes_together);
	tcase_add_test(tc, without_a_wish_it_is_an_echo);
	tcase_add_test(tc, delayed_answers_come_late_and_in_order);
	tcase_add_test(tc, too_many_delayed_answers_stop_the_reading);
	tcase_add_test(tc, some_answers_are_dropped);
	tcase_add_test(tc, it_closes_after_the_answers);
	tcase_add_test(tc, it_closes_at_once_or_in_time);
	tcase_add_test(tc, it_reads_slowly_or_not_at_all);
	tcase_add_test(tc, sends_fail);
	tcase_add_test(tc, memory_is_out_when_asked_for);
	tcase_add_test(tc, a_handshake_is_refused_or_waits);
	tcase_add_test(tc, what_came_is_told_in_pages);
	tcase_add_test(tc, the_oldest_are_forgotten);
}

/* Commands that wait do not move, and memory that is out is not to be out on the way. */
static void add_tests_that_stay(TCase *tc)
{
	tcase_add_test(tc, without_memory_it_is_said);
	tcase_add_test(tc, what_is_over_makes_room_and_what_is_open_does_not);
	tcase_add_test(tc, a_command_waits_for_messages);
	tcase_add_test(tc, a_command_waits_for_the_end_or_not_for_ever);
	tcase_add_test(tc, who_waits_is_refused_when_that_cannot_be);
	tcase_add_test(tc, a_snapshot_that_is_damaged_does_no_harm);
	tcase_add_test(tc, without_memory_nothing_is_left_of_what_was_read);
	tcase_add_test(tc, what_another_application_has_kept_is_left_to_it);
}

int main(void)
{
	Suite *suite = suite_create("unruly");
	TCase *tc = tcase_create("unruly"), *moving = tcase_create("from process to process");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	add_tests_that_stay(tc);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(moving, setup_moving, teardown);
	add_tests(moving);
	suite_add_tcase(suite, moving);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
