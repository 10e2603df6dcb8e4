/*
 * The doctor, over a fake of sockjs.h: what it may be ordered, what it answers and when, what it
 * tells of a request and what not, and what it keeps of reports.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doctor/doctor.h"
#include "doctor/orders.h"
#include "doctor/report.h"
#include "doctor/sight.h"
#include "http/http_request.h"
#include "server/command.h"
#include "server/saved.h"
#include "snapshot_damage.h"

/* --- a fake library: one request, one session, one command --------------------------------------- */

struct sockjs_session {
	void *user;
	unsigned sent, timer, code, heartbeat;
	bool paused;
	char reason[124];
	json_t *answers; /* all of them */
};

struct sockjs_command {
	json_t *arguments, *answer;
	char refusal[64];
};

static struct sockjs_session s;
static struct sockjs_command command;
static struct doctor *d;
static uint64_t now;
static int send_result, timer_result;
static bool moves; /* to another process before each step */
static const char *query = "", *remote = "203.0.113.9";
static const char *headers[200][2];
static struct addr peer = { .family = AF_INET, .ip = { 10, 0, 0, 7 } };
static bool has_request;
static void *user_of_handshake;

/* As server/handshake.h has it, which knows real sessions. */
const struct http_request *handshake_request(const struct sockjs_handshake *h);
const struct http_request *handshake_request(const struct sockjs_handshake *h)
{
	(void)h;
	return has_request ? (const struct http_request *)(const void *)headers : NULL;
}

const char *sockjs_handshake_transport(const struct sockjs_handshake *h)
{
	(void)h;
	return "xhr_streaming";
}

const char *sockjs_handshake_prefix(const struct sockjs_handshake *h)
{
	(void)h;
	return "/doctor";
}

const char *sockjs_handshake_path(const struct sockjs_handshake *h)
{
	(void)h;
	return "";
}

const char *sockjs_handshake_query(const struct sockjs_handshake *h)
{
	(void)h;
	return query;
}

const char *sockjs_handshake_host(const struct sockjs_handshake *h)
{
	(void)h;
	return "example.com";
}

const char *sockjs_handshake_origin(const struct sockjs_handshake *h)
{
	(void)h;
	return NULL;
}

const char *sockjs_handshake_remote(const struct sockjs_handshake *h)
{
	(void)h;
	return remote;
}

int sockjs_handshake_is_tls(const struct sockjs_handshake *h)
{
	(void)h;
	return 1;
}

int sockjs_handshake_is_trusted(const struct sockjs_handshake *h)
{
	(void)h;
	return 1;
}

void sockjs_handshake_set_user(struct sockjs_handshake *h, void *user)
{
	(void)h;
	user_of_handshake = user;
}

struct bytes http_request_method_name(const struct http_request *r)
{
	(void)r;
	return BYTES("POST");
}

bool http_request_is_1_1(const struct http_request *r)
{
	(void)r;
	return false;
}

const struct addr *http_request_peer(const struct http_request *r)
{
	(void)r;
	return &peer;
}

void http_request_each_header(const struct http_request *r, http_header_fn fn, void *arg)
{
	(void)r;
	for (size_t i = 0; headers[i][0]; i++)
		fn(bytes_of(headers[i][0]), bytes_of(headers[i][1]), arg);
}

int http_request_join_header(const struct http_request *r, const char *name, struct buf *out)
{
	(void)r;
	for (size_t i = 0; headers[i][0]; i++)
		if (strcasecmp(headers[i][0], name) == 0)
			return buf_add_str(out, headers[i][1]) == 0 ? 1 : -ENOMEM;
	return 0;
}

int sockjs_send(struct sockjs_session *to, const void *text, size_t len)
{
	json_error_t error;
	json_t *answer = json_loadb(text, len, 0, &error);

	ck_assert_msg(answer, "%s", error.text);
	json_array_append_new(to->answers, answer);
	to->sent++;
	return send_result;
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

int sockjs_set_timer(struct sockjs_session *of, unsigned ms)
{
	of->timer = ms;
	return timer_result;
}

void sockjs_set_heartbeat(struct sockjs_session *of, unsigned every_ms)
{
	of->heartbeat = every_ms;
}

void sockjs_set_user(struct sockjs_session *of, void *user)
{
	of->user = user;
}

int sockjs_reactor(const struct sockjs_server *server)
{
	(void)server;
	return 0;
}

void *sockjs_user(const struct sockjs_session *of)
{
	return of->user;
}

const char *sockjs_remote(const struct sockjs_session *of)
{
	(void)of;
	return remote;
}

const char *sockjs_transport(const struct sockjs_session *of)
{
	(void)of;
	return "websocket";
}

/* --- commands ---------------------------------------------------------------------------------- */

const json_t *command_arguments(const struct sockjs_command *c)
{
	return c->arguments;
}

void command_refuse_argument(struct sockjs_command *c, const char *name, const char *format, ...)
{
	(void)format;
	snprintf(c->refusal, sizeof(c->refusal), "%s", name);
}

bool command_has_only(struct sockjs_command *c, const char *const *names)
{
	(void)c, (void)names;
	return true;
}

bool command_string(struct sockjs_command *c, const char *name, bool is_needed, const char **out)
{
	(void)is_needed;
	*out = json_string_value(json_object_get(c->arguments, name));
	return true;
}

bool command_integer(struct sockjs_command *c, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const json_t *value = json_object_get(c->arguments, name);

	if (value)
		*out = json_integer_value(value);
	return *out >= least && *out <= most;
}

void command_answer(struct sockjs_command *c, json_t *answer)
{
	ck_assert_ptr_nonnull(answer);
	c->answer = answer;
}

/* --- what tests do ------------------------------------------------------------------------------- */

static const struct sockjs_callbacks *app = &doctor_callbacks;

static void at(uint64_t ms)
{
	now = ms;
	clock_set(ms);
}

static void must_snapshot(int err, const struct snapshot *of)
{
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(snapshot_error(of), 0);
}

static struct bytes write_all(struct snapshot *written)
{
	struct sockjs_saved to = { written };

	snapshot_init_write(written);
	must_snapshot(app->save(NULL, &to, d), written);
	if (s.user)
		must_snapshot(app->save(&s, &to, d), written);
	return (struct bytes){ buf_data(&written->out), buf_len(&written->out) };
}

/* The old process lets go of what it has, without a word to anybody. */
static void move(void)
{
	struct snapshot written, read;
	struct sockjs_saved from = { &read };
	struct sockjs_session before = s;
	struct doctor *old = d;

	snapshot_init_read(&read, write_all(&written), NULL, 0);
	d = doctor_new(NULL);
	s.user = NULL;
	must_snapshot(app->restore(NULL, &from, d), &read);
	if (before.user)
		must_snapshot(app->restore(&s, &from, d), &read);
	ck_assert_uint_eq(snapshot_left(&read), 0);
	ck_assert_uint_eq(s.sent, before.sent);
	if (before.user)
		app->close(&before, 1000, "", old);
	doctor_free(old);
	snapshot_fini(&written);
	snapshot_fini(&read);
}

static void open_session(void)
{
	json_decref(s.answers);
	s = (struct sockjs_session){ .answers = json_array() };
	ck_assert_int_eq(app->handshake(NULL, d), 0);
	s.user = user_of_handshake;
	app->open(&s, d);
}

static void leave(void)
{
	app->close(&s, 1000, NULL, d);
	s.user = NULL;
}

static void setup(void)
{
	moves = false;
	at(1000);
	send_result = timer_result = 0;
	query = "";
	remote = "203.0.113.9";
	has_request = true;
	memset(headers, 0, sizeof(headers));
	d = doctor_new(NULL);
	ck_assert_ptr_nonnull(d);
	open_session();
}

static void setup_moving(void)
{
	setup();
	moves = true;
}

static void teardown(void)
{
	if (s.user)
		leave();
	doctor_free(d);
	json_decref(s.answers);
	s.answers = NULL;
	clock_set(0);
}

static void order(const char *text)
{
	struct sockjs_message m = { text, strlen(text), 0 };

	if (moves)
		move();
	app->message(&s, &m, d);
}

static void wait_ms(uint64_t ms)
{
	if (moves)
		move();
	at(now + ms);
	app->timer(&s, d);
}

/* The i-th answer, or from the end. */
static const json_t *answer(int i)
{
	size_t n = json_array_size(s.answers);
	const json_t *a = json_array_get(s.answers, i < 0 ? n + (size_t)(ssize_t)i : (size_t)i);

	ck_assert_msg(a, "there are %zu answers", n);
	return a;
}

static const char *text_in(const json_t *a, const char *name)
{
	const char *text = json_string_value(json_object_get(a, name));

	return text ? text : "(none)";
}

static json_int_t number_in(const json_t *a, const char *name)
{
	const json_t *value = json_object_get(a, name);

	ck_assert_msg(json_is_integer(value), "%s is no number", name);
	return json_integer_value(value);
}

static void must_refuse(const char *text, const char *code)
{
	order(text);
	ck_assert_str_eq(text_in(answer(-1), "is"), "error");
	ck_assert_str_eq(text_in(answer(-1), "code"), code);
	ck_assert_uint_gt(strlen(text_in(answer(-1), "message")), 10);
}

static const json_t *ask_reports(const char *arguments)
{
	if (moves)
		move();
	json_decref(command.arguments);
	json_decref(command.answer);
	command = (struct sockjs_command){ .arguments = json_loads(arguments, 0, NULL) };
	app->command(&command, d);
	return json_object_get(command.answer, "networks");
}

static void forget_command(void)
{
	json_decref(command.arguments);
	json_decref(command.answer);
	command = (struct sockjs_command){ 0 };
}

/* --- orders -------------------------------------------------------------------------------------- */

START_TEST(an_echo_has_its_number)
{
	order("{\"do\":\"echo\",\"id\":7,\"seq\":3,\"bytes\":5,\"pad\":\"abc\"}");
	ck_assert_str_eq(text_in(answer(0), "is"), "echo");
	ck_assert_int_eq(number_in(answer(0), "id"), 7);
	ck_assert_int_eq(number_in(answer(0), "seq"), 3);
	ck_assert_int_eq(number_in(answer(0), "count"), 1);
	ck_assert_int_eq(number_in(answer(0), "octets"), 50);
	ck_assert_uint_eq(strlen(text_in(answer(0), "pad")), 5);
	at(now + 40);
	order("{\"do\":\"echo\"}");
	ck_assert(json_is_null(json_object_get(answer(1), "id")));
	ck_assert(json_is_null(json_object_get(answer(1), "seq")));
	ck_assert_int_eq(number_in(answer(1), "at_ms"), 40);
	ck_assert_int_eq(number_in(answer(1), "count"), 2);
}
END_TEST

START_TEST(an_echo_is_bounded)
{
	order("{\"do\":\"echo\",\"bytes\":65536}");
	ck_assert_uint_eq(strlen(text_in(answer(0), "pad")), 65536);
	must_refuse("{\"do\":\"echo\",\"bytes\":65537}", "wrong_member");
}
END_TEST

START_TEST(pushes_come_in_their_time)
{
	order("{\"do\":\"push\",\"id\":1,\"count\":3,\"every_ms\":100,\"bytes\":2}");
	ck_assert_uint_eq(s.sent, 1);
	ck_assert_uint_eq(s.timer, 100);
	wait_ms(99);
	ck_assert_uint_eq(s.sent, 1);
	ck_assert_uint_eq(s.timer, 1);
	wait_ms(1);
	ck_assert_uint_eq(s.sent, 2);
	wait_ms(250);
	ck_assert_uint_eq(s.sent, 3);
	ck_assert_int_eq(number_in(answer(2), "seq"), 3);
	ck_assert_int_eq(number_in(answer(2), "of"), 3);
	ck_assert_int_eq(number_in(answer(2), "at_ms"), 350);
	wait_ms(1000);
	ck_assert_uint_eq(s.sent, 3);
}
END_TEST

START_TEST(many_pushes_are_not_one_turn)
{
	order("{\"do\":\"push\",\"count\":1000,\"every_ms\":0}");
	ck_assert_uint_eq(s.sent, 64);
	ck_assert_uint_eq(s.timer, 1);
	for (int i = 0; i < 15; i++)
		wait_ms(1);
	ck_assert_uint_eq(s.sent, 1000);
}
END_TEST

START_TEST(pushes_wait_for_a_slow_client)
{
	send_result = SOCKJS_FULL;
	order("{\"do\":\"push\",\"count\":3,\"every_ms\":0}");
	ck_assert_uint_eq(s.sent, 1);
	ck_assert(s.paused);
	wait_ms(5);
	ck_assert_uint_eq(s.sent, 1);
	send_result = 0;
	app->writable(&s, d);
	ck_assert(!s.paused);
	ck_assert_uint_eq(s.sent, 3);
}
END_TEST

START_TEST(a_silence_ends_with_a_word)
{
	ck_assert_uint_eq(s.heartbeat, 1);
	order("{\"do\":\"silence\",\"id\":4,\"ms\":20000}");
	ck_assert_uint_eq(s.sent, 0);
	wait_ms(19999);
	ck_assert_uint_eq(s.sent, 0);
	wait_ms(1);
	ck_assert_str_eq(text_in(answer(0), "is"), "silence");
	ck_assert_int_eq(number_in(answer(0), "ms"), 20000);
	ck_assert_int_eq(number_in(answer(0), "at_ms"), 20000);
}
END_TEST

START_TEST(one_at_a_time_and_both_can_be_stopped)
{
	order("{\"do\":\"silence\",\"ms\":500}");
	must_refuse("{\"do\":\"silence\",\"ms\":500}", "busy");
	order("{\"do\":\"push\",\"count\":9,\"every_ms\":100}");
	must_refuse("{\"do\":\"push\",\"count\":9,\"every_ms\":100}", "busy");
	order("{\"do\":\"stop\",\"id\":5}");
	ck_assert_int_eq(number_in(answer(-1), "stopped"), 2);
	s.sent = 0;
	wait_ms(1000);
	ck_assert_uint_eq(s.sent, 0);
}
END_TEST

START_TEST(it_closes_as_it_is_told)
{
	order("{\"do\":\"close\",\"code\":4001,\"reason\":\"Enough\"}");
	ck_assert_uint_eq(s.code, 4001);
	ck_assert_str_eq(s.reason, "Enough");
	order("{\"do\":\"echo\"}");
	ck_assert_uint_eq(s.sent, 0);
}
END_TEST

static const char *const nonsense[][2] = {
	{ "", "not_json" }, { "{", "not_json" }, { "[]", "not_json" }, { "7", "not_json" },
	{ "{\"do\":\"echo\",\"do\":\"echo\"}", "not_json" }, { "{\"do\":\"echo\"} x", "not_json" },
	{ "{}", "wrong_command" }, { "{\"do\":7}", "wrong_command" },
	{ "{\"do\":\"dance\"}", "wrong_command" }, { "{\"do\":\"echo\",\"id\":-1}", "wrong_member" },
	{ "{\"do\":\"echo\",\"id\":\"1\"}", "wrong_member" },
	{ "{\"do\":\"echo\",\"id\":9007199254740992}", "wrong_member" },
	{ "{\"do\":\"echo\",\"more\":1}", "wrong_member" },
	{ "{\"do\":\"echo\",\"pad\":1}", "wrong_member" },
	{ "{\"do\":\"seen\",\"seq\":1}", "wrong_member" },
	{ "{\"do\":\"push\",\"count\":1}", "wrong_member" },
	{ "{\"do\":\"push\",\"count\":0,\"every_ms\":1}", "wrong_member" },
	{ "{\"do\":\"push\",\"count\":1001,\"every_ms\":1}", "wrong_member" },
	{ "{\"do\":\"push\",\"count\":1000,\"every_ms\":10000}", "wrong_member" },
	{ "{\"do\":\"push\",\"count\":1000,\"every_ms\":1,\"bytes\":65536}", "wrong_member" },
	{ "{\"do\":\"silence\",\"ms\":600001}", "wrong_member" },
	{ "{\"do\":\"silence\",\"ms\":1.5}", "wrong_member" },
	{ "{\"do\":\"close\",\"code\":1001}", "wrong_member" },
	{ "{\"do\":\"report\"}", "wrong_member" }, { "{\"do\":\"report\",\"report\":[]}", "wrong_member" },
};

START_TEST(nonsense_is_refused)
{
	must_refuse(nonsense[_i][0], nonsense[_i][1]);
}
END_TEST

START_TEST(what_is_too_long_or_too_deep_is_refused)
{
	size_t n = ORDER_OCTETS_MAX + 1;
	char *text = malloc(n + 1);

	memset(text, '[', n);
	text[n] = '\0';
	must_refuse(text, "too_long");
	text[n - 1] = '\0';
	must_refuse(text, "not_json");
	free(text);
}
END_TEST

START_TEST(too_much_nonsense_ends_it)
{
	for (int i = 0; i < 100; i++)
		order("?");
	ck_assert_uint_eq(s.code, DOCTOR_NONSENSE);
	ck_assert_uint_eq(s.sent, 100);
}
END_TEST

START_TEST(no_session_is_for_ever)
{
	wait_ms(1199999);
	ck_assert_uint_eq(s.code, 0);
	wait_ms(1);
	ck_assert_uint_eq(s.code, DOCTOR_TIME_IS_UP);
}
END_TEST

START_TEST(no_session_has_messages_without_end)
{
	for (int i = 0; i < 10001; i++)
		order("{\"do\":\"stop\"}");
	ck_assert_uint_eq(s.code, DOCTOR_TOO_MANY);
}
END_TEST

START_TEST(without_a_timer_it_ends)
{
	timer_result = -ENOMEM;
	order("{\"do\":\"silence\",\"ms\":5}");
	ck_assert_uint_eq(s.code, SOCKJS_CLOSE_INTERNAL_ERROR);
}
END_TEST

/* --- what the server saw ---------------------------------------------------------------------------- */

static void again_with(const char *name, const char *value)
{
	size_t n = 0;

	while (headers[n][0])
		n++;
	headers[n][0] = name;
	headers[n][1] = value;
	leave();
	open_session();
	order("{\"do\":\"seen\",\"id\":1}");
}

START_TEST(it_tells_what_it_saw)
{
	again_with("Via", "1.1 squid");
	ck_assert_str_eq(text_in(answer(0), "is"), "seen");
	ck_assert_str_eq(text_in(answer(0), "transport"), "xhr_streaming");
	ck_assert_str_eq(text_in(answer(0), "method"), "POST");
	ck_assert_str_eq(text_in(answer(0), "http"), "1.0");
	ck_assert_str_eq(text_in(answer(0), "scheme"), "https");
	ck_assert_str_eq(text_in(answer(0), "address"), "203.0.113.9");
	ck_assert_str_eq(text_in(answer(0), "network"), "203.0.113.0/24");
	ck_assert_str_eq(text_in(answer(0), "peer"), "10.0.0.7");
	ck_assert(json_is_true(json_object_get(answer(0), "proxied")));
	ck_assert(json_is_null(json_object_get(answer(0), "upgrade")));
	ck_assert(json_is_null(json_object_get(answer(0), "origin")));
	ck_assert_uint_eq(strlen(text_in(answer(0), "time")), 20);
	ck_assert_str_eq(text_in(json_array_get(json_object_get(answer(0), "headers"), 0), "value"), "1.1 squid");
}
END_TEST

/* Not even to the page whose browser has sent them. */
START_TEST(secrets_are_not_told)
{
	static const char *const secret[] = { "Cookie", "authorization", "Proxy-Authorization",
		"X-Amzn-Oidc-Data", "Cf-Access-Jwt-Assertion", "X-Forwarded-User" };
	const json_t *header;

	again_with(secret[_i], "abcdefg");
	header = json_array_get(json_object_get(answer(0), "headers"), 0);
	ck_assert_str_eq(text_in(header, "name"), secret[_i]);
	ck_assert_ptr_null(json_object_get(header, "value"));
	ck_assert_int_eq(number_in(header, "octets"), 7);
}
END_TEST

START_TEST(what_is_no_text_is_told_as_text)
{
	again_with("Via", "\x01\xff\x7f" "a");
	ck_assert_str_eq(text_in(json_array_get(json_object_get(answer(0), "headers"), 0), "value"), "???a");
	again_with("Via", "gr\xc3\xbc\xc3\x9f");
	ck_assert_str_eq(text_in(json_array_get(json_object_get(answer(0), "headers"), 1), "value"), "gr\xc3\xbc\xc3\x9f");
}
END_TEST

START_TEST(many_and_long_headers_are_cut)
{
	char *longer = malloc(2000);
	const json_t *list;

	memset(longer, 'v', 1999);
	longer[1999] = '\0';
	for (int i = 0; i < 69; i++) {
		headers[i][0] = "via";
		headers[i][1] = longer;
	}
	again_with("Via", "last");
	list = json_object_get(answer(0), "headers");
	ck_assert_uint_eq(json_array_size(list), 64);
	ck_assert_uint_eq(strlen(text_in(json_array_get(list, 0), "value")), 512);
	ck_assert(json_is_true(json_object_get(json_array_get(list, 0), "cut")));
	ck_assert_int_eq(number_in(answer(0), "more_headers"), 6);
	free(longer);
}
END_TEST

START_TEST(without_a_request_there_are_no_headers)
{
	has_request = false;
	again_with("Via", "x");
	ck_assert_ptr_null(json_object_get(answer(0), "headers"));
	ck_assert_str_eq(text_in(answer(0), "host"), "example.com");
}
END_TEST

START_TEST(networks_of_addresses)
{
	char text[ADDR_TEXT_MAX];

	ck_assert_str_eq(sight_network("192.0.2.77", text), "192.0.2.0/24");
	ck_assert_str_eq(sight_network("2001:db8:1:2::3", text), "2001:db8:1::/48");
	ck_assert_str_eq(sight_network("unix", text), "unix");
}
END_TEST

START_TEST(it_greets_who_wants_that)
{
	query = "t=1&greet=3";
	leave();
	open_session();
	ck_assert_uint_eq(s.sent, 2);
	ck_assert_str_eq(text_in(answer(0), "is"), "seen");
	ck_assert(json_is_null(json_object_get(answer(0), "id")));
	wait_ms(100);
	ck_assert_uint_eq(s.sent, 3);
	order("{\"do\":\"push\",\"id\":1,\"count\":1,\"every_ms\":0}");
	ck_assert_int_eq(number_in(answer(-1), "id"), 1);
	wait_ms(1000);
	ck_assert_uint_eq(s.sent, 4);
}
END_TEST

START_TEST(greetings_are_few)
{
	static const char *const queries[] = { "greet=99999999999999999999", "greet=", "greet=-1", "xgreet=3" };

	query = queries[_i];
	leave();
	open_session();
	for (int i = 0; i < 50; i++)
		wait_ms(100);
	ck_assert_uint_eq(s.sent, _i == 0 ? 21 : 0);
}
END_TEST

/* --- reports ------------------------------------------------------------------------------------------ */

#define REPORT(text) "{\"do\":\"report\",\"id\":7,\"report\":" text "}"

START_TEST(a_report_is_kept_by_network)
{
	const json_t *networks, *one;

	headers[0][0] = "User-Agent";
	headers[0][1] = "Tester/1";
	leave();
	open_session();
	order(REPORT("{\"cause\":\"streams_held\",\"causes\":[\"far\"],\"round_trip_ms\":23,\"via\":\"1.1 squid\","
	             "\"transports\":[{\"name\":\"websocket\",\"state\":\"failed\"}],"
	             "\"idle\":{\"cut_ms\":20000,\"noticed\":false}}"));
	ck_assert(json_is_true(json_object_get(answer(0), "kept")));
	ck_assert_str_eq(text_in(answer(0), "network"), "203.0.113.0/24");
	networks = ask_reports("{}");
	ck_assert_uint_eq(json_array_size(networks), 1);
	one = json_array_get(networks, 0);
	ck_assert_int_eq(number_in(one, "count"), 1);
	ck_assert_int_eq(number_in(json_object_get(one, "causes"), "streams_held"), 1);
	one = json_array_get(json_object_get(one, "reports"), 0);
	ck_assert_str_eq(text_in(one, "user_agent"), "Tester/1");
	ck_assert_str_eq(text_in(one, "address"), "203.0.113.9");
	ck_assert_str_eq(text_in(json_object_get(one, "report"), "via"), "1.1 squid");
	forget_command();
}
END_TEST

static const char *const wrong_reports[] = {
	REPORT("{}"),
	REPORT("{\"cause\":\"bad luck\"}"),
	REPORT("{\"cause\":7}"),
	REPORT("{\"cause\":\"ok\",\"note\":\"<script>\"}"),
	REPORT("{\"cause\":\"ok\",\"via\":\"\\u001b[2J\"}"),
	REPORT("{\"cause\":\"ok\",\"round_trip_ms\":-1}"),
	REPORT("{\"cause\":\"ok\",\"round_trip_ms\":3600001}"),
	REPORT("{\"cause\":\"ok\",\"causes\":[\"far\",\"far\",\"far\",\"far\",\"far\"]}"),
	REPORT("{\"cause\":\"ok\",\"causes\":\"far\"}"),
	REPORT("{\"cause\":\"ok\",\"idle\":{\"noticed\":1}}"),
	REPORT("{\"cause\":\"ok\",\"idle\":[]}"),
	REPORT("{\"cause\":\"ok\",\"transports\":[{\"name\":\"pigeon\",\"state\":\"works\"}]}"),
	REPORT("{\"cause\":\"ok\",\"transports\":[{\"name\":\"websocket\"}]}"),
	REPORT("{\"cause\":\"ok\",\"transports\":[7]}"),
};

START_TEST(a_wrong_report_is_refused)
{
	must_refuse(wrong_reports[_i], "wrong_member");
	ck_assert_uint_eq(json_array_size(ask_reports("{}")), 0);
	forget_command();
}
END_TEST

START_TEST(a_session_reports_a_few_times)
{
	for (int i = 0; i < 4; i++)
		order(REPORT("{\"cause\":\"ok\"}"));
	ck_assert(json_is_true(json_object_get(answer(2), "kept")));
	ck_assert(json_is_false(json_object_get(answer(3), "kept")));
	ck_assert_int_eq(number_in(json_array_get(ask_reports("{}"), 0), "count"), 3);
	forget_command();
}
END_TEST

static void report_from(const char *address, const char *text)
{
	remote = address;
	leave();
	open_session();
	order(text);
	ck_assert_str_eq(text_in(answer(-1), "is"), "report");
}

START_TEST(the_oldest_is_forgotten)
{
	const json_t *networks;
	char address[32];

	for (int i = 0; i < REPORTS_NETWORKS + 3; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.1", i / 250, i % 250);
		report_from(address, REPORT("{\"cause\":\"ok\"}"));
		report_from("10.0.0.9", REPORT("{\"cause\":\"far\"}")); /* one that always comes again stays */
	}
	networks = ask_reports("{\"limit\":256}");
	ck_assert_uint_eq(json_array_size(networks), REPORTS_NETWORKS);
	ck_assert_str_eq(text_in(json_array_get(networks, 0), "network"), "10.0.0.0/24");
	ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(networks, 0), "reports")), REPORTS_OF_EACH);
	ck_assert_int_eq(number_in(command.answer, "count"), REPORTS_NETWORKS);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"network\":\"10.0.1.0/24\"}")), 0);
	forget_command();
}
END_TEST

START_TEST(they_are_asked_for_by_network_and_cause)
{
	report_from("192.0.2.1", REPORT("{\"cause\":\"ok\"}"));
	report_from("192.0.2.200", REPORT("{\"cause\":\"far\"}"));
	report_from("2001:db8:1:2::3", REPORT("{\"cause\":\"far\"}"));
	ck_assert_uint_eq(json_array_size(ask_reports("{\"network\":\"192.0.2.7\"}")), 1);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"network\":\"192.0.0.0/16\"}")), 1);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"network\":\"2001:db8::/32\"}")), 1);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"network\":\"198.51.100.0/24\"}")), 0);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"cause\":\"far\"}")), 2);
	ck_assert_uint_eq(json_array_size(ask_reports("{\"cause\":\"ok\",\"limit\":1}")), 1);
	ask_reports("{\"network\":\"everywhere\"}");
	ck_assert_str_eq(command.refusal, "network");
	ask_reports("{\"cause\":\"luck\"}");
	ck_assert_str_eq(command.refusal, "cause");
	forget_command();
}
END_TEST

/* Whatever cannot be had: the session goes on or ends, and nothing is lost or freed twice. */
START_TEST(memory_may_be_out_anywhere)
{
	for (unsigned long n = 1; n < 40; n++) {
		leave();
		mem_fail_at(n);
		if (app->handshake(NULL, d) == 0) {
			json_decref(s.answers);
			s = (struct sockjs_session){ .answers = json_array(), .user = user_of_handshake };
			app->open(&s, d);
			order("{\"do\":\"seen\"}");
			order("{\"do\":\"echo\",\"bytes\":3000}");
			order(REPORT("{\"cause\":\"ok\"}"));
			mem_fail_at(0);
		} else {
			mem_fail_at(0);
			open_session();
		}
	}
}
END_TEST

/* --- what comes from another process may be anything ------------------------------------------------ */

static unsigned long taken, refused;

static int take_both(struct doctor *other, struct snapshot *read)
{
	struct sockjs_saved from = { read };
	int err = app->restore(NULL, &from, other);

	s.user = NULL;
	return err == 0 ? app->restore(&s, &from, other) : err;
}

static void take(struct bytes b, bool is_cut)
{
	struct doctor *mine = d;
	struct snapshot read;
	int err;

	d = doctor_new(NULL);
	s.code = 0;
	json_array_clear(s.answers);
	snapshot_init_read(&read, b, NULL, 0);
	err = take_both(d, &read);
	ck_assert(!is_cut || err != 0);
	if (err == 0)
		order("{\"do\":\"stop\"}");
	*(err == 0 ? &taken : &refused) += 1;
	ask_reports("{}");
	if (s.user)
		leave();
	snapshot_fini(&read);
	doctor_free(d);
	d = mine;
}

static void prepare(struct snapshot *written, struct bytes *whole)
{
	order("{\"do\":\"push\",\"id\":1,\"count\":3,\"every_ms\":100,\"bytes\":2}");
	order("{\"do\":\"silence\",\"id\":2,\"ms\":5000}");
	order(REPORT("{\"cause\":\"far\",\"via\":\"1.1 squid\"}"));
	*whole = write_all(written);
	leave();
}

START_TEST(a_snapshot_that_is_damaged_does_no_harm)
{
	struct snapshot written;
	struct bytes whole;

	prepare(&written, &whole);
	take(whole, false);
	ck_assert_uint_eq(taken, 1);
	damage_cut(whole, take);
	ck_assert_uint_eq(refused, whole.n);
	damage_flip(whole, take);
	ck_assert_uint_gt(taken, 100);
	ck_assert_uint_gt(refused, 1000);
	forget_command();
	snapshot_fini(&written);
}
END_TEST

START_TEST(without_memory_nothing_is_left_of_what_was_read)
{
	struct snapshot written;
	struct bytes whole;
	bool failed = true;

	prepare(&written, &whole);
	for (unsigned long nth = 1; failed; nth++) {
		struct doctor *other = doctor_new(NULL);
		struct snapshot read;
		int err;

		snapshot_init_read(&read, whole, NULL, 0);
		mem_fail_at(nth);
		err = take_both(other, &read);
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert_int_eq(err == 0, !failed);
		if (s.user)
			leave();
		doctor_free(other);
		snapshot_fini(&read);
	}
	snapshot_fini(&written);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, an_echo_has_its_number);
	tcase_add_test(t, an_echo_is_bounded);
	tcase_add_test(t, pushes_come_in_their_time);
	tcase_add_test(t, many_pushes_are_not_one_turn);
	tcase_add_test(t, pushes_wait_for_a_slow_client);
	tcase_add_test(t, a_silence_ends_with_a_word);
	tcase_add_test(t, one_at_a_time_and_both_can_be_stopped);
	tcase_add_test(t, it_closes_as_it_is_told);
	tcase_add_loop_test(t, nonsense_is_refused, 0, sizeof(nonsense) / sizeof(*nonsense));
	tcase_add_test(t, what_is_too_long_or_too_deep_is_refused);
	tcase_add_test(t, too_much_nonsense_ends_it);
	tcase_add_test(t, no_session_is_for_ever);
	tcase_add_test(t, no_session_has_messages_without_end);
	tcase_add_test(t, it_tells_what_it_saw);
	tcase_add_loop_test(t, secrets_are_not_told, 0, 6);
	tcase_add_test(t, what_is_no_text_is_told_as_text);
	tcase_add_test(t, many_and_long_headers_are_cut);
	tcase_add_test(t, without_a_request_there_are_no_headers);
	tcase_add_test(t, networks_of_addresses);
	tcase_add_test(t, it_greets_who_wants_that);
	tcase_add_loop_test(t, greetings_are_few, 0, 4);
	tcase_add_test(t, a_report_is_kept_by_network);
	tcase_add_loop_test(t, a_wrong_report_is_refused, 0, sizeof(wrong_reports) / sizeof(*wrong_reports));
	tcase_add_test(t, a_session_reports_a_few_times);
	tcase_add_test(t, the_oldest_is_forgotten);
	tcase_add_test(t, they_are_asked_for_by_network_and_cause);
}

int main(void)
{
	Suite *suite = suite_create("doctor");
	TCase *t = tcase_create("doctor"), *moving = tcase_create("from process to process");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	tcase_add_test(t, without_a_timer_it_ends);
	tcase_add_test(t, memory_may_be_out_anywhere);
	tcase_add_test(t, a_snapshot_that_is_damaged_does_no_harm);
	tcase_add_test(t, without_memory_nothing_is_left_of_what_was_read);
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(moving, setup_moving, teardown);
	add_tests(moving);
	suite_add_tcase(suite, moving);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
