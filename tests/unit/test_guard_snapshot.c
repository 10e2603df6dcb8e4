/*
 * tests/unit/test_guard_snapshot.c - guests of a guard, and conversations of the application hooks, go on in another process:
 * what the backend is asked just now it is asked again, with the same number, and nothing is lost behind that. What comes from
 * a file or a socket may be anything.
 *
 * The session is a fake; the backend is the test's, by HTTP. Time is the test's own.
 */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/apps.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/handshake_private.h"
#include "server/saved.h"
#include "snapshot_damage.h"
#include "webhook/guard.h"

enum { PATIENCE = 5000, ASKED_MOST = 64 };

/* --- the session, as the server has it ------------------------------------------------------- */

static struct server_endpoint endpoint;
static struct session_extra extra;
static struct sockjs_session s;
static struct {
	bool is_held, is_accepted, is_open, is_paused;
	unsigned status, code, timer;
	char heard[200];
} told;

struct session_extra *session_extra(struct sockjs_session *of)
{
	return of->extra = &extra;
}

void *sockjs_user(const struct sockjs_session *of)
{
	return of->user;
}

void sockjs_set_user(struct sockjs_session *of, void *user)
{
	of->user = user;
}

unsigned long long sockjs_id(const struct sockjs_session *of)
{
	(void)of;
	return 17;
}

const char *sockjs_transport(const struct sockjs_session *of)
{
	(void)of;
	return "websocket";
}

const char *sockjs_remote(const struct sockjs_session *of)
{
	(void)of;
	return "192.0.2.7";
}

int sockjs_set_timer(struct sockjs_session *of, unsigned ms)
{
	(void)of;
	told.timer = ms;
	return 0;
}

int sockjs_accept(struct sockjs_session *of, const char *subprotocol)
{
	(void)of, (void)subprotocol;
	ck_assert(told.is_held);
	told.is_held = false;
	told.is_accepted = true;
	return 0;
}

int sockjs_refuse(struct sockjs_session *of, unsigned status, unsigned code, const char *reason)
{
	(void)of, (void)code, (void)reason;
	told.is_held = false;
	told.status = status;
	return 0;
}

void sockjs_close(struct sockjs_session *of, unsigned code, const char *reason)
{
	(void)of, (void)reason;
	told.code = code;
}

int sockjs_send(struct sockjs_session *of, const void *text, size_t len)
{
	(void)of;
	snprintf(told.heard + strlen(told.heard), sizeof(told.heard) - strlen(told.heard), "%.*s ",
	    (int)len, (const char *)text);
	return 0;
}

int sockjs_send_binary(struct sockjs_session *of, const void *data, size_t len)
{
	return sockjs_send(of, data, len);
}

void sockjs_pause(struct sockjs_session *of)
{
	(void)of;
	told.is_paused = true;
}

void sockjs_resume(struct sockjs_session *of)
{
	(void)of;
	told.is_paused = false;
}

int sockjs_delivery(const struct sockjs_session *of, struct sockjs_delivery *d)
{
	(void)of;
	*d = (struct sockjs_delivery){ 4, 3, 2, 1 };
	return 0;
}

void sockjs_metric(struct sockjs_metrics *m, enum sockjs_metric_kind kind, const char *name,
    const char *help, const char *label, const char *value_of_label, unsigned long long value)
{
	(void)m, (void)kind, (void)name, (void)help, (void)label, (void)value_of_label, (void)value;
}

/* --- the backend ---------------------------------------------------------------------------------- */

static struct {
	int listener, fd;
	unsigned port;
	struct buf in;
	const char *answer; /* its body; NULL: it does not answer */
	unsigned status;
	unsigned count;
	json_t *asked[ASKED_MOST];
} backend;

static void backend_listen(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	backend.fd = -1;
	backend.status = 200;
	backend.answer = NULL;
	backend.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(backend.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(backend.listener, 16), 0);
	ck_assert_int_eq(getsockname(backend.listener, (struct sockaddr *)&sa, &len), 0);
	backend.port = ntohs(sa.sin_port);
}

static void backend_hang_up(void)
{
	if (backend.fd >= 0)
		close(backend.fd);
	backend.fd = -1;
	buf_clear(&backend.in);
}

/* The end of its head, or NULL. */
static const char *head_end(void)
{
	buf_add(&backend.in, "", 1);
	buf_cut(&backend.in, buf_len(&backend.in) - 1);
	return strstr(buf_data(&backend.in), "\r\n\r\n");
}

static void note_key(const json_t *event)
{
	const char *key = strstr(buf_data(&backend.in), "Idempotency-Key: ") + strlen("Idempotency-Key: ");
	const char *id = json_string_value(json_object_get(event, "id"));

	ck_assert_int_eq(strncmp(key, id, strlen(id)), 0);
}

static void backend_answer(void)
{
	char text[2000];
	int n;

	if (!backend.answer || backend.fd < 0)
		return;
	n = snprintf(text, sizeof(text),
	    "HTTP/1.1 %u X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", backend.status,
	    strlen(backend.answer), backend.answer);
	ck_assert_int_eq(send(backend.fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void take_request(void)
{
	const char *end = head_end(), *length = end ? strstr(buf_data(&backend.in), "Content-Length: ") : NULL;
	size_t n = length ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0, head;
	json_t *event;

	if (!end)
		return;
	head = (size_t)(end - buf_data(&backend.in)) + 4;
	if (buf_len(&backend.in) < head + n)
		return;
	event = json_loadb(buf_data(&backend.in) + head, n, 0, NULL);
	ck_assert_ptr_nonnull(event);
	ck_assert_uint_lt(backend.count, ASKED_MOST);
	note_key(event);
	backend.asked[backend.count++] = event;
	buf_consume(&backend.in, head + n);
	backend_answer();
}

static void backend_turn(void)
{
	char octets[4096];
	int fd = accept4(backend.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ssize_t n;

	if (fd >= 0) { /* what was asked before was so by a process that is gone */
		backend_hang_up();
		backend.fd = fd;
	}
	n = backend.fd < 0 ? -1 : recv(backend.fd, octets, sizeof(octets), 0);
	if (n > 0) {
		buf_add(&backend.in, octets, (size_t)n);
		take_request();
	}
}

static const char *asked(unsigned i, const char *name)
{
	const char *text;

	ck_assert_uint_lt(i, backend.count);
	text = json_string_value(json_object_get(backend.asked[i], name));
	return text ? text : "(none)";
}

static void backend_end(void)
{
	backend_hang_up();
	close(backend.listener);
	buf_fini(&backend.in);
	for (unsigned i = 0; i < backend.count; i++)
		json_decref(backend.asked[i]);
	backend.count = 0;
}

/* --- an application within ------------------------------------------------------------------------- */

static struct {
	unsigned handshakes, opened, closed, restored, without_session;
	int restore_result;
	char header[20], query[20], remote[20];
} within;

static int inner_handshake(struct sockjs_handshake *h, void *app)
{
	const char *header = sockjs_handshake_header(h, "x-granted");

	(void)app;
	within.handshakes++;
	ck_assert_str_eq(sockjs_handshake_header(h, "X-Seen"), "it is");
	ck_assert_str_eq(sockjs_handshake_subprotocol(h, 0), "v1");
	ck_assert_str_eq(sockjs_handshake_subprotocol(h, 1), "v2");
	ck_assert_ptr_null(sockjs_handshake_subprotocol(h, 2));
	ck_assert_str_eq(sockjs_handshake_origin(h), "https://a.example");
	ck_assert_ptr_null(sockjs_handshake_client_subject(h));
	snprintf(within.header, sizeof(within.header), "%s", header ? header : "");
	snprintf(within.query, sizeof(within.query), "%s", sockjs_handshake_query(h));
	snprintf(within.remote, sizeof(within.remote), "%s", sockjs_handshake_remote(h));
	return 0;
}

static void inner_open(struct sockjs_session *of, void *app)
{
	(void)of, (void)app;
	within.opened++;
}

static void inner_close(struct sockjs_session *of, unsigned code, const char *reason, void *app)
{
	(void)of, (void)code, (void)reason, (void)app;
	within.closed++;
}

static int inner_save(struct sockjs_session *of, struct sockjs_saved *to, void *app)
{
	char text[8];

	(void)app;
	strcpy(text, of ? "session" : "nobody!");
	snapshot_raw(to->snapshot, text, 7);
	return 0;
}

/* It sees its own octets alone. */
static int inner_restore(struct sockjs_session *of, struct sockjs_saved *from, void *app)
{
	char text[7];

	(void)app;
	within.restored += of != NULL;
	within.without_session += of == NULL;
	if (snapshot_left(from->snapshot) != sizeof(text))
		return -EPROTO;
	snapshot_raw(from->snapshot, text, sizeof(text));
	if (memcmp(text, of ? "session" : "nobody!", 7) != 0)
		return -EPROTO;
	return within.restore_result;
}

static const struct sockjs_callbacks keeping = {
	.handshake = inner_handshake,
	.open = inner_open,
	.close = inner_close,
	.save = inner_save,
	.restore = inner_restore,
};
static const struct sockjs_callbacks forgetful = {
	.handshake = inner_handshake,
	.open = inner_open,
	.close = inner_close,
};

/* --- a process ---------------------------------------------------------------------------------------- */

static uint64_t now;
static const struct sockjs_callbacks *inner = &keeping;
static bool has_hooks; /* the application within is hooks */

struct process {
	struct loop *loop;
	struct guard *guard;
	void *state; /* of hooks */
};

static struct process *here;

static struct sockjs_options *make_options(void)
{
	struct sockjs_options *o = sockjs_options_new();
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", backend.port);
	ck_assert_int_eq(sockjs_options_set(o, "hooks.url", url), 0);
	ck_assert_int_eq(sockjs_options_set(o, "hooks.secret", "correct-horse-battery"), 0);
	ck_assert_int_eq(sockjs_options_set(o, "hooks.timeout_ms", "5000"), 0);
	ck_assert_int_eq(sockjs_options_set(o, "hooks.max_batch_bytes", "1024"), 0);
	ck_assert_int_eq(sockjs_options_set(o, "hooks.events", has_hooks ? "connect,message,disconnect" : "connect,disconnect"), 0);
	return o;
}

static struct process *process_new(void)
{
	struct process *p = calloc(1, sizeof(*p));
	struct sockjs_options *o = make_options();
	void *hooked;
	char why[200];

	ck_assert_int_eq(loop_new(&p->loop), 0);
	loop_enter(p->loop);
	if (has_hooks)
		ck_assert_int_eq(hooks_app.start(NULL, o, &p->state, why, sizeof(why)), 0);
	ck_assert_int_eq(guard_new(&p->guard, o, has_hooks ? hooks_app.callbacks : inner, p->state,
	                     has_hooks ? hooks_app.asks : 0, why, sizeof(why)), 0);
	if (has_hooks)
		ck_assert_int_eq(hooks_app.hook(p->state, guard_webhook(p->guard), o, &hooked, why, sizeof(why)), 0);
	sockjs_options_free(o);
	return p;
}

static const struct sockjs_callbacks *app(void)
{
	return guard_callbacks(here->guard);
}

/* A process that has handed over says nothing more: it lets go of what it has. */
static void process_free(struct process *p)
{
	guard_free(p->guard);
	if (p->state)
		hooks_app.stop(p->state);
	loop_free(p->loop);
	free(p);
}

static void setup(void)
{
	clock_set(now = 1000000);
	memset(&told, 0, sizeof(told));
	memset(&within, 0, sizeof(within));
	memset(&extra, 0, sizeof(extra));
	memset(&endpoint, 0, sizeof(endpoint));
	endpoint.prefix = "/app";
	s = (struct sockjs_session){ .endpoint = &endpoint };
	inner = &keeping;
	has_hooks = false;
	backend_listen();
	here = process_new();
}

static void setup_hooks(void)
{
	setup();
	process_free(here);
	has_hooks = true;
	here = process_new();
}

static void teardown(void)
{
	if (s.extra && extra.guest)
		app()->close(&s, 1000, "", here->guard);
	process_free(here);
	backend_end();
	clock_set(0);
}

static void turn(unsigned ms)
{
	clock_set(now += ms);
	ck_assert_int_eq(loop_turn(here->loop, 1), 0);
	backend_turn();
}

#define until(what)                                                                                \
	do {                                                                                       \
		for (int patience_ = 0; !(what) && patience_ < PATIENCE; patience_++)              \
			turn(0);                                                                   \
		ck_assert_msg(what, "never: %s", #what);                                           \
	} while (0)

/* --- from process to process ---------------------------------------------------------------------------- */

static int save_result; /* of the session */

static struct bytes write_down(struct snapshot *written)
{
	struct sockjs_saved to = { written };

	while (loop_settle(here->loop))
		;
	snapshot_init_write(written);
	ck_assert_int_eq(app()->save(NULL, &to, here->guard), 0);
	save_result = app()->save(&s, &to, here->guard);
	ck_assert_int_eq(snapshot_error(written), 0);
	return (struct bytes){ buf_data(&written->out), buf_len(&written->out) };
}

/* What the old process has of the session is freed there, and nothing is heard of it: its backend is gone. */
static void forget(void)
{
	struct guest *g = extra.guest;
	unsigned closed = within.closed;
	struct sockjs_session before = s;

	if (g)
		app()->close(&s, 1000, "", here->guard);
	process_free(here);
	within.closed = closed;
	s = before;
}

/* 0, or what the first said that could not. */
static int read_up(struct bytes octets)
{
	struct snapshot read;
	struct sockjs_saved from = { &read };
	int err;

	here = process_new();
	memset(&extra, 0, sizeof(extra));
	s.extra = NULL;
	s.user = NULL;
	told.timer = 0;
	ck_assert_int_eq(snapshot_init_read(&read, octets, NULL, 0), 0);
	err = app()->restore(NULL, &from, here->guard);
	if (err == 0)
		err = app()->restore(&s, &from, here->guard);
	ck_assert_int_eq(err == 0 && snapshot_left(&read), 0);
	err = err == 0 ? snapshot_error(&read) : err;
	snapshot_fini(&read);
	return err;
}

static void move(void)
{
	struct snapshot written;
	struct bytes octets = write_down(&written);

	ck_assert_int_eq(save_result, 0);
	forget();
	ck_assert_int_eq(read_up(octets), 0);
	snapshot_fini(&written);
}

/* --- a client comes --------------------------------------------------------------------------------------- */

static void come(void)
{
	struct sockjs_handshake *h = handshake_new_copy(&endpoint);
	struct kept_handshake *k = h->kept;
	struct sockjs_header seen = { "X-Seen", "it is" };

	k->transport = "websocket";
	k->path = "/room";
	k->query = "a=1";
	k->host = "www.example";
	k->origin = "https://a.example";
	k->offers = mem_zalloc(3 * sizeof(*k->offers));
	k->offers[0] = "v1";
	k->offers[1] = "v2";
	k->headers = mem_zalloc(sizeof(*k->headers));
	k->headers[0] = seen;
	k->header_count = 1;
	snprintf(h->remote, sizeof(h->remote), "192.0.2.7");
	endpoint.options.request_headers = (struct string_list){ (char *[]){ (char *)(uintptr_t)"X-Seen" }, 1 };
	told.is_held = true;
	ck_assert_int_eq(app()->handshake(h, here->guard), SOCKJS_LATER);
	s.user = h->user;
	handshake_free(h);
	app()->connecting(&s, here->guard);
	endpoint.options.request_headers = (struct string_list){ 0 };
}

static void open_session(void)
{
	until(told.is_accepted);
	told.is_open = true;
	app()->open(&s, here->guard);
}

static void say(const char *text)
{
	app()->message(&s, &(struct sockjs_message){ text, strlen(text), 0 }, here->guard);
}

static void leave(void)
{
	app()->close(&s, 3001, "bye", here->guard);
}

/* --- guests ------------------------------------------------------------------------------------------------- */

START_TEST(who_waits_for_an_answer_is_asked_about_again)
{
	come();
	for (unsigned i = 0; i < 4; i++) {
		until(backend.count == i + 1);
		ck_assert_str_eq(asked(i, "id"), asked(0, "id"));
		ck_assert(json_equal(backend.asked[i], backend.asked[0]));
		ck_assert(told.is_held);
		ck_assert(extra.is_outside);
		if (i == 3)
			backend.answer = "{\"user\":\"ann\",\"headers\":{\"X-Granted\":\"yes\"},\"messages\":[\"hi\"]}";
		move();
	}
	open_session();
	ck_assert(!extra.is_outside);
	ck_assert_uint_eq(within.handshakes, 1);
	ck_assert_uint_eq(within.opened, 1);
	ck_assert_str_eq(within.header, "yes");
	ck_assert_str_eq(within.query, "a=1");
	ck_assert_str_eq(within.remote, "192.0.2.7");
	ck_assert_str_eq(told.heard, "hi ");
	ck_assert_str_eq(asked(4, "id"), asked(0, "id"));
	ck_assert_str_eq(asked(4, "path"), "/room");
}
END_TEST

START_TEST(a_no_is_a_no_there)
{
	come();
	until(backend.count == 1);
	move();
	backend.status = 403;
	backend.answer = "{}";
	until(told.status != 0);
	ck_assert_uint_eq(told.status, 403);
	ck_assert_uint_eq(within.handshakes, 0);
}
END_TEST

START_TEST(who_was_let_in_goes_on_with_his_application)
{
	backend.answer = "{\"user\":\"ann\"}";
	come();
	until(told.is_accepted);
	move(); /* not open yet */
	app()->open(&s, here->guard);
	ck_assert_uint_eq(within.opened, 1);
	for (unsigned i = 1; i < 4; i++) {
		move();
		ck_assert_uint_eq(within.restored, i + 1);
		ck_assert_uint_eq(within.without_session, i + 1);
	}
	ck_assert_uint_eq(within.handshakes, 1);
	leave();
	ck_assert_uint_eq(within.closed, 1);
	until(backend.count == 2);
	ck_assert_str_eq(asked(1, "event"), "disconnect");
	ck_assert_str_eq(asked(1, "user"), "ann");
}
END_TEST

START_TEST(an_application_that_keeps_nothing_loses_its_sessions_alone)
{
	struct snapshot written;
	struct bytes octets;

	process_free(here);
	inner = &forgetful;
	here = process_new();
	come();
	until(backend.count == 1);
	move(); /* it was not let in, so it can go on */
	backend.answer = "{}";
	open_session();
	octets = write_down(&written);
	ck_assert_int_ne(save_result, 0);
	ck_assert_uint_gt(octets.n, 0);
	snapshot_fini(&written);
}
END_TEST

START_TEST(an_application_that_cannot_go_on_leaves_no_guest)
{
	struct snapshot written;
	struct bytes octets;

	backend.answer = "{}";
	come();
	open_session();
	octets = write_down(&written);
	forget();
	within.restore_result = -ENOMEM;
	ck_assert_int_eq(read_up(octets), -ENOMEM);
	ck_assert_ptr_null(extra.guest);
	snapshot_fini(&written);
}
END_TEST

/* As long as the first process would have let it wait. */
START_TEST(a_client_that_is_let_wait_is_let_wait_no_longer)
{
	process_free(here);
	inner = &(const struct sockjs_callbacks){ .open = inner_open, .close = inner_close };
	here = process_new();
	come();
	ck_assert_uint_eq(told.timer, 250);
	until(backend.count == 1);
	turn(100);
	move();
	ck_assert_uint_eq(told.timer, 150);
	app()->timer(&s, here->guard);
	ck_assert(told.is_accepted);
	app()->open(&s, here->guard);
	ck_assert(told.is_paused);
	move();
	ck_assert_uint_eq(told.timer, 0);
	backend.answer = "{\"messages\":[\"hi\"]}";
	until(!told.is_paused);
	ck_assert_uint_eq(within.opened, 1);
	ck_assert_str_eq(told.heard, "hi ");
}
END_TEST

START_TEST(an_end_that_is_being_told_is_told_there)
{
	backend.answer = "{}";
	come();
	open_session();
	backend.answer = NULL;
	leave();
	until(backend.count == 2);
	extra.guest = NULL;
	move();
	until(backend.count == 3);
	ck_assert_str_eq(asked(2, "event"), "disconnect");
	ck_assert_str_eq(asked(2, "id"), asked(1, "id"));
	ck_assert(app()->busy(here->guard));
	backend.answer = "{}";
	backend_answer();
	until(!app()->busy(here->guard));
}
END_TEST

/* There was none when it came, or there is none any more. */
START_TEST(what_another_application_has_kept_is_left_to_it)
{
	static const struct bytes strange = BYTES("UPCN\1\0\0\0\0\0");
	struct snapshot read;
	struct sockjs_saved from = { &read };

	snapshot_init_read(&read, strange, NULL, 0);
	ck_assert_int_eq(app()->restore(NULL, &from, here->guard), -ENOENT);
	ck_assert_int_eq(app()->restore(&s, &from, here->guard), -ENOENT);
	ck_assert_int_eq(snapshot_error(&read), 0);
	snapshot_fini(&read);
}
END_TEST

/* --- conversations --------------------------------------------------------------------------------------------- */

static void converse(void)
{
	backend.answer = "{\"user\":\"ann\"}";
	come();
	open_session();
	backend.answer = NULL;
}

/* The messages of the ith question, one after the other. */
static const char *messages(unsigned i)
{
	static char text[400];
	const json_t *list;

	ck_assert_uint_lt(i, backend.count);
	list = json_object_get(backend.asked[i], "messages");
	text[0] = '\0';
	for (size_t k = 0; k < json_array_size(list); k++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ",
		    json_string_value(json_array_get(list, k)));
	return text;
}

START_TEST(messages_under_way_are_told_again_and_others_wait_behind_them)
{
	converse();
	say("one");
	until(backend.count == 2);
	say("two");
	for (unsigned i = 0; i < 3; i++) {
		move();
		until(backend.count == 3 + i);
		ck_assert_str_eq(messages(2 + i), "one ");
		ck_assert_str_eq(asked(2 + i, "id"), asked(1, "id"));
	}
	say("three");
	backend.answer = "{\"messages\":[\"heard\"]}";
	backend_answer();
	until(backend.count == 6);
	ck_assert_str_eq(messages(5), "two three ");
	ck_assert_str_eq(asked(5, "user"), "ann");
	ck_assert_str_ne(asked(5, "id"), asked(1, "id"));
	until(strcmp(told.heard, "heard heard ") == 0);
	move(); /* nothing is under way */
	say("four");
	until(backend.count == 7);
	ck_assert_str_eq(messages(6), "four ");
}
END_TEST

START_TEST(a_client_that_has_to_wait_waits_there)
{
	static const char filler[] = "0123456789012345678901234567890123456789";

	converse();
	say("one");
	until(backend.count == 2);
	while (!told.is_paused)
		say(filler);
	move();
	ck_assert(told.is_paused);
	until(backend.count == 3);
	ck_assert_uint_ge(app()->held(&s, here->guard), 1024);
	backend.answer = "{}";
	backend_answer();
	until(backend.count == 4);
	until(!told.is_paused);
}
END_TEST

START_TEST(a_conversation_outlives_its_session_there_too)
{
	converse();
	say("one");
	until(backend.count == 2);
	say("two");
	leave();
	extra.guest = NULL;
	for (unsigned i = 0; i < 2; i++) {
		move();
		until(backend.count == 3 + i);
		ck_assert_str_eq(messages(2 + i), "one ");
	}
	backend.answer = "{}";
	backend_answer();
	until(backend.count == 6);
	ck_assert_str_eq(messages(4), "two ");
	ck_assert_str_eq(asked(5, "event"), "disconnect");
	ck_assert_str_eq(asked(5, "reason"), "bye");
	ck_assert_int_eq(json_integer_value(json_object_get(backend.asked[5], "code")), 3001);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(backend.asked[5], "delivery"), "sent")), 3);
	until(!app()->busy(here->guard));
}
END_TEST

/* --- what is read may be anything -------------------------------------------------------------------------------- */

static unsigned long taken, refused;

static void take(struct bytes b, bool is_cut)
{
	int err;

	process_free(here);
	told.is_held = !told.is_open;
	err = read_up(b);
	ck_assert(!is_cut || err != 0);
	*(err == 0 ? &taken : &refused) += 1;
	loop_turn(here->loop, 0);
	if (err == 0 && told.is_open && has_hooks)
		say("x");
	if (extra.guest)
		app()->close(&s, 1000, "", here->guard);
	memset(&extra, 0, sizeof(extra));
	loop_turn(here->loop, 0);
}

/* 0: asked; 1: let in, or in the midst of a conversation; 2: gone, and not all told */
static struct bytes bring_about(int what, struct snapshot *written)
{
	struct bytes octets;

	backend.answer = what ? "{\"user\":\"ann\",\"attributes\":{\"a\":[1]}}" : NULL;
	come();
	if (what)
		open_session();
	else
		until(backend.count == 1);
	backend.answer = NULL;
	if (what && has_hooks) {
		say("one");
		until(backend.count == 2);
		say("two");
	}
	if (what == 2) {
		leave();
		extra.guest = NULL;
	}
	octets = write_down(written);
	ck_assert_int_eq(save_result, 0);
	forget();
	here = process_new();
	return octets;
}

START_TEST(a_snapshot_that_is_damaged_does_no_harm)
{
	struct snapshot written;
	struct bytes whole = bring_about(_i, &written);

	take(whole, false);
	ck_assert_uint_eq(taken, 1);
	damage_cut(whole, take);
	damage_flip(whole, take);
	ck_assert_uint_gt(refused, whole.n);
	snapshot_fini(&written);
}
END_TEST

START_TEST(without_memory_nothing_is_left_of_what_was_read)
{
	struct snapshot written;
	struct bytes whole = bring_about(_i, &written);
	bool failed = true;

	for (unsigned long nth = 1; failed; nth++) {
		struct snapshot read;
		struct sockjs_saved from = { &read };
		int err;

		process_free(here);
		here = process_new();
		memset(&extra, 0, sizeof(extra));
		s.extra = NULL;
		snapshot_init_read(&read, whole, NULL, 0);
		mem_fail_at(nth);
		err = app()->restore(NULL, &from, here->guard);
		err = err == 0 ? app()->restore(&s, &from, here->guard) : err;
		failed = mem_failed();
		mem_fail_at(0);
		ck_assert_int_eq(err == 0, !failed);
		loop_turn(here->loop, 0);
		if (extra.guest)
			app()->close(&s, 1000, "", here->guard);
		snapshot_fini(&read);
	}
	snapshot_fini(&written);
	memset(&extra, 0, sizeof(extra));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard_snapshot");
	TCase *guests = tcase_create("guests"), *hooks = tcase_create("conversations");
	SRunner *runner = srunner_create(suite);
	int failed;

	log_set_level(LOG_SILENT);
	tcase_set_timeout(guests, 120);
	tcase_add_checked_fixture(guests, setup, teardown);
	tcase_add_test(guests, who_waits_for_an_answer_is_asked_about_again);
	tcase_add_test(guests, a_no_is_a_no_there);
	tcase_add_test(guests, who_was_let_in_goes_on_with_his_application);
	tcase_add_test(guests, an_application_that_keeps_nothing_loses_its_sessions_alone);
	tcase_add_test(guests, an_application_that_cannot_go_on_leaves_no_guest);
	tcase_add_test(guests, a_client_that_is_let_wait_is_let_wait_no_longer);
	tcase_add_test(guests, an_end_that_is_being_told_is_told_there);
	tcase_add_test(guests, what_another_application_has_kept_is_left_to_it);
	tcase_add_loop_test(guests, a_snapshot_that_is_damaged_does_no_harm, 0, 3);
	tcase_add_loop_test(guests, without_memory_nothing_is_left_of_what_was_read, 0, 3);
	suite_add_tcase(suite, guests);
	tcase_set_timeout(hooks, 120);
	tcase_add_checked_fixture(hooks, setup_hooks, teardown);
	tcase_add_test(hooks, messages_under_way_are_told_again_and_others_wait_behind_them);
	tcase_add_test(hooks, a_client_that_has_to_wait_waits_there);
	tcase_add_test(hooks, a_conversation_outlives_its_session_there_too);
	tcase_add_loop_test(hooks, a_snapshot_that_is_damaged_does_no_harm, 0, 3);
	tcase_add_loop_test(hooks, without_memory_nothing_is_left_of_what_was_read, 0, 3);
	suite_add_tcase(suite, hooks);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
