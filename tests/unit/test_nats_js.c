/*
 * tests/unit/test_nats_js.c - what is done with JetStream, against a server that says what the test
 * wants: fetches, work, streams. What the real one does is in tests/nats/.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "nats/nats_fetch.h"
#include "nats/nats_stream.h"
#include "nats/nats_work.h"
#include "nats_fixture.h"

#define NEXT_OF_FETCH "PUB $JS.API.CONSUMER.MSG.NEXT.S.C"
#define NEXT_OF_WORK  "PUB $JS.API.CONSUMER.MSG.NEXT.S.W"

/* --- what it is told ---------------------------------------------------------------- */

static struct {
	unsigned messages, done, trouble;
	int err;
	uint64_t left;
	char why[NATS_WHY_BYTES];
	void (*upon)(void); /* in each of its callbacks */
} told;

static struct nats_fetch fetch;
static struct nats_work work;
static const struct nats_fetch_options fetch_options = {
	.stream = "S",
	.subject = "in.>",
	.max_messages = 10,
	.max_bytes = 1000,
	.timeout_ms = 2000,
};
static const struct nats_work_options work_options = { .stream = "S", .consumer = "W" };

static void told_of(const char *why)
{
	snprintf(told.why, sizeof(told.why), "%s", why);
	if (told.upon)
		told.upon();
}

static void on_fetched(
    struct nats_fetch *f, const struct nats_event *m, const struct nats_delivery *d)
{
	(void)m, (void)d;
	ck_assert_ptr_eq(f, &fetch);
	told.messages++;
	told_of("");
}

static void on_done(struct nats_fetch *f, int err, const char *why, uint64_t left)
{
	ck_assert_ptr_eq(f, &fetch);
	told.done++;
	told.err = err;
	told.left = left;
	told_of(why);
}

static const struct nats_fetch_events fetch_events = { on_fetched, on_done };

static void on_work(struct nats_work *w, const struct nats_event *m, const struct nats_delivery *d)
{
	(void)m, (void)d;
	ck_assert_ptr_eq(w, &work);
	told.messages++;
	told_of("");
}

static void on_trouble(struct nats_work *w, const char *why)
{
	ck_assert_ptr_eq(w, &work);
	told.trouble++;
	told_of(why);
}

static const struct nats_work_events work_events = { on_work, on_trouble };

/* --- beginnings --------------------------------------------------------------------- */

static void come_up_anew(void)
{
	memset(&told, 0, sizeof(told));
	memset(&fetch, 0, sizeof(fetch));
	memset(&work, 0, sizeof(work));
	owner.up = 0;
	options.ping_interval_ms = 1000000;
	come_up();
}

static void start_fetch(void)
{
	ck_assert_int_eq(nats_fetch_start(client, &fetch, &fetch_options, &fetch_events), 0);
	answer(0, "PUB $JS.API.CONSUMER.CREATE.S", "{\"name\":\"C\",\"num_pending\":10}");
	wait_to_hear(0, NEXT_OF_FETCH);
}

static void start_work(unsigned credit)
{
	ck_assert_int_eq(nats_work_start(client, &work, &work_options, &work_events), 0);
	answer(0, "PUB $JS.API.CONSUMER.DURABLE.CREATE.S.W", "{}");
	turns(3);
	nats_work_take(&work, credit);
}

/* What a consumer says to who has asked with this line: a status, or a message that was stored with
 * these headers. */
static void say_of_consumer(const char *next, const char *reply_to, const char *headers)
{
	char line[600], block[200];
	const char *inbox = reply_subject(0, next);
	size_t n = (size_t)snprintf(block, sizeof(block), "NATS/1.0%s\r\n\r\n", headers);

	snprintf(line, sizeof(line), "HMSG %s %u %s %zu %zu\r\n%s\r\n", *reply_to ? "in.a" : inbox,
	    inbox_sid(0, inbox), reply_to, n, n, block);
	say(0, line);
}

static void free_client(void)
{
	nats_client_free(client);
	client = NULL;
	told.upon = NULL;
}

/* --- fetching ----------------------------------------------------------------------- */

START_TEST(a_fetch_ends_with_its_client_and_may_be_cancelled_afterwards)
{
	come_up_anew();
	start_fetch();
	if (_i)
		turns(3);
	free_client();
	if (_i == 2)
		turns(3);
	nats_fetch_cancel(&fetch);
	turns(300);
	ck_assert_uint_eq(told.done + told.messages, 0);
}
END_TEST

START_TEST(a_fetch_says_how_it_ended)
{
	static const struct {
		const char *status;
		int err;
		uint64_t left;
		const char *why;
	} table[] = {
		{ " 404 No Messages", 0, 0, "" },
		{ " 408 Request Timeout", -ETIMEDOUT, 10, "Request Timeout (408)" },
		{ " 409 Message Size Exceeds MaxBytes", -EMSGSIZE, 10,
		    "the next message is larger than may be fetched" },
		{ " 409 Consumer Deleted", -EREMOTEIO, 10, "Consumer Deleted (409)" },
		{ " 400 Bad Request", -EREMOTEIO, 10, "Bad Request (400)" },
		{ " 503", -EHOSTUNREACH, 10,
		    "nobody answers there: is there no JetStream, or no such stream?" },
		{ "", -EBADMSG, 10, "a message of a consumer has no place" },
	};

	come_up_anew();
	start_fetch();
	say_of_consumer(NEXT_OF_FETCH, "", " 100 Idle Heartbeat");
	turns(5);
	ck_assert_uint_eq(told.done, 0);
	say_of_consumer(NEXT_OF_FETCH, "", table[_i].status);
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, table[_i].err);
	ck_assert_uint_eq(told.left, table[_i].left);
	ck_assert_str_eq(told.why, table[_i].why);
	wait_to_hear(0, "PUB $JS.API.CONSUMER.DELETE.S.C ");
}
END_TEST

START_TEST(a_fetch_whose_octets_or_time_are_used_up_is_well)
{
	come_up_anew();
	start_fetch();
	say_of_consumer(NEXT_OF_FETCH, "$JS.ACK.S.C.1.1.1.1.9", "");
	say_of_consumer(
	    NEXT_OF_FETCH, "", _i ? " 408 Request Timeout" : " 409 Message Size Exceeds MaxBytes");
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, 0);
	ck_assert_uint_eq(told.messages, 1);
	ck_assert_uint_eq(told.left, 9);
}
END_TEST

/* What comes behind it is not taken in its place. */
START_TEST(a_fetch_of_which_something_is_lost_says_so)
{
	come_up_anew();
	start_fetch();
	if (_i)
		say_of_consumer(NEXT_OF_FETCH, "$JS.ACK.S.C.1.3.1.1.9", "");
	say_of_consumer(NEXT_OF_FETCH, _i ? "$JS.ACK.S.C.1.7.3.1.7" : "$JS.ACK.S.C.1.7.2.1.8", "");
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, -EAGAIN);
	ck_assert_str_eq(told.why, "some of what was fetched was lost on the way");
	ck_assert_uint_eq(told.messages, (unsigned)_i);
	wait_to_hear(0, "PUB $JS.API.CONSUMER.DELETE.S.C ");
}
END_TEST

/* Whoever may publish could end it, else. */
START_TEST(a_message_that_looks_like_a_status_is_a_message)
{
	come_up_anew();
	if (_i) {
		start_work(5);
		wait_to_hear(0, NEXT_OF_WORK);
	} else {
		start_fetch();
	}
	say_of_consumer(_i ? NEXT_OF_WORK : NEXT_OF_FETCH, "$JS.ACK.S.C.1.1.1.1.9", " 503");
	say_of_consumer(
	    _i ? NEXT_OF_WORK : NEXT_OF_FETCH, "$JS.ACK.S.C.1.2.2.1.8", " 409 Consumer Deleted");
	wait_for(&told.messages, 2);
	turns(5);
	ck_assert_uint_eq(told.done + told.trouble, 0);
}
END_TEST

START_TEST(what_is_no_name_is_refused_at_once)
{
	static const char *const bad[] = { NULL, "", "a.b", "a b", "\xff" };
	struct nats_fetch_options f = fetch_options;
	struct nats_work_options w = work_options;
	struct nats_stream_call call = { .done = NULL };

	come_up_anew();
	f.stream = bad[_i];
	ck_assert_int_eq(nats_fetch_start(client, &fetch, &f, &fetch_events), -EINVAL);
	w.stream = bad[_i];
	ck_assert_int_eq(nats_work_start(client, &work, &w, &work_events), -EINVAL);
	w.stream = "S";
	w.consumer = bad[_i];
	ck_assert_int_eq(nats_work_start(client, &work, &w, &work_events), -EINVAL);
	ck_assert_int_eq(nats_stream_ensure(client, &call,
	                     &(struct nats_stream_config){ .name = bad[_i] }, 1000, NULL),
	    -EINVAL);
	ck_assert_int_eq(nats_stream_last(client, &call, bad[_i], "a", 1000, NULL), -EINVAL);
	nats_work_take(&work, 1);
	nats_work_stop(&work);
	nats_fetch_cancel(&fetch);
	nats_stream_cancel(&call);
}
END_TEST

START_TEST(what_is_no_subject_is_refused_at_once)
{
	static const char *const bad[] = { "", "a..b", "a.", "\xff" };
	struct nats_fetch_options f = fetch_options;
	struct nats_work_options w = work_options;
	struct nats_stream_config config = {
		.name = "S", .subjects = &bad[_i], .subject_count = 1
	};
	struct nats_stream_call call = { .done = NULL };

	come_up_anew();
	f.subject = w.subject = bad[_i];
	ck_assert_int_eq(nats_fetch_start(client, &fetch, &f, &fetch_events), -EINVAL);
	ck_assert_int_eq(nats_work_start(client, &work, &w, &work_events), -EINVAL);
	ck_assert_int_eq(nats_stream_ensure(client, &call, &config, 1000, NULL), -EINVAL);
	ck_assert_int_eq(nats_stream_last(client, &call, "S", bad[_i], 1000, NULL), -EINVAL);
}
END_TEST

/* --- work --------------------------------------------------------------------------- */

/* While it waits for its next attempt, while it pulls. */
START_TEST(work_ends_with_its_client_and_may_be_stopped_afterwards)
{
	come_up_anew();
	start_work(5);
	wait_to_hear(0, NEXT_OF_WORK);
	if (_i) {
		hang_up(0);
		wait_for(&told.trouble, 1);
	}
	free_client();
	turns(100);
	nats_work_take(&work, 1);
	nats_work_stop(&work);
	turns(100);
	ck_assert_uint_eq(told.trouble, _i);
}
END_TEST

START_TEST(work_may_end_its_client_in_a_callback)
{
	come_up_anew();
	start_work(5);
	wait_to_hear(0, NEXT_OF_WORK);
	told.upon = free_client;
	hang_up(0);
	wait_for(&told.trouble, 1);
	ck_assert_ptr_null(client);
	turns(100);
	ck_assert_uint_eq(told.trouble, 1);
}
END_TEST

/* The request that begins so, as often as it comes, is answered with `json`. */
static void answer_again(const char *line, unsigned sid, const char *json)
{
	char text[600];

	wait_to_hear(0, line);
	snprintf(text, sizeof(text), "MSG %s %u %zu\r\n%s\r\n", reply_subject(0, line), sid,
	    strlen(json), json);
	servers[0].heard_n = 0;
	say(0, text);
}

START_TEST(a_stream_that_is_not_there_is_told_and_waited_for)
{
	static const char create[] = "PUB $JS.API.CONSUMER.DURABLE.CREATE.S.W";
	uint64_t first = 0, last = now;
	unsigned sid;

	come_up_anew();
	ck_assert_int_eq(nats_work_start(client, &work, &work_options, &work_events), 0);
	nats_work_take(&work, 5);
	sid = inbox_sid(0, reply_subject(0, create));
	for (unsigned i = 1; i <= 9; i++) {
		answer_again(create, sid,
		    "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not "
		    "found\"}}");
		wait_for(&told.trouble, i);
		ck_assert_str_eq(told.why, "stream not found");
		if (i == 2)
			first = now - last;
		if (i < 9)
			last = now;
	}
	ck_assert_uint_le(first, 300);
	ck_assert_uint_ge(now - last, 4500);
	answer_again(create, sid, "{}");
	wait_to_hear(0, NEXT_OF_WORK);
	ck_assert_uint_eq(told.trouble, 9);
}
END_TEST

START_TEST(work_that_is_refused_is_told_and_tried_again_from_the_consumer_on)
{
	static const char *const statuses[] = { " 404 No Messages", " 409 Consumer Deleted",
		" 409 Message Size Exceeds MaxBytes", " 400 Bad Request", " 503", "" };

	come_up_anew();
	start_work(5);
	wait_to_hear(0, NEXT_OF_WORK);
	say_of_consumer(NEXT_OF_WORK, "", " 100 Idle Heartbeat");
	turns(5);
	ck_assert_uint_eq(told.trouble, 0);
	say_of_consumer(NEXT_OF_WORK, "", statuses[_i]);
	turns(3);
	ck_assert_uint_eq(told.trouble, 1);
	servers[0].heard_n = 0;
	wait_to_hear(0, "PUB $JS.API.CONSUMER.DURABLE.CREATE.S.W");
}
END_TEST

START_TEST(work_goes_on_asking_when_its_question_is_over)
{
	come_up_anew();
	start_work(5);
	wait_to_hear(0, NEXT_OF_WORK);
	say_of_consumer(NEXT_OF_WORK, "", " 408 Request Timeout");
	servers[0].heard_n = 0;
	wait_to_hear(0, "\"batch\":5,");
	ck_assert_uint_eq(told.trouble, 0);
}
END_TEST

/* Its owner is told of what every owner of a client is. */
START_TEST(work_waits_for_a_connection_in_silence)
{
	memset(&told, 0, sizeof(told));
	memset(&work, 0, sizeof(work));
	servers[0].logs_in = false;
	options.connect_timeout_ms = options.ping_interval_ms = 1000000;
	new_client();
	ck_assert_int_eq(nats_work_start(client, &work, &work_options, &work_events), 0);
	wait_to_hear(0, "PING\r\n");
	turns(200);
	ck_assert_uint_eq(told.trouble, 0);
	say(0, "PONG\r\n");
	answer(0, "PUB $JS.API.CONSUMER.DURABLE.CREATE.S.W", "{}");
	nats_work_take(&work, 1);
	wait_to_hear(0, NEXT_OF_WORK);
	ck_assert_uint_eq(told.trouble, 0);
}
END_TEST

/* --- streams ------------------------------------------------------------------------ */

static struct nats_stream_call call;
static const char *const subjects[] = { "in.>" };
static const struct nats_stream_config config = {
	.name = "S",
	.subjects = subjects,
	.subject_count = 1,
	.republish_from = "in.>",
	.republish_to = "live.>",
	.max_age_ms = 1,
	.max_bytes = 2222,
	.max_messages_per_subject = 3333,
};

static void on_call(struct nats_stream_call *c, int err, const char *why)
{
	ck_assert_ptr_eq(c, &call);
	told.done++;
	told.err = err;
	told_of(why);
}

static void ensure(void)
{
	memset(&call, 0, sizeof(call));
	ck_assert_int_eq(nats_stream_ensure(client, &call, &config, 1000, on_call), 0);
}

#define INFO_OF_STREAM "PUB $JS.API.STREAM.INFO.S"
#define UPDATE         "PUB $JS.API.STREAM.UPDATE.S"
#define PRESENT(age)                                                                               \
	"{\"config\":{\"name\":\"S\",\"subjects\":[\"in.>\"],\"republish\":{\"src\":\"in.>\","     \
	"\"dest\":\"live.>\",\"headers_only\":true},\"max_age\":" age                              \
	",\"max_bytes\":2222,\"max_msgs_per_subject\":3333,\"compression\":\"s2\"}}"

START_TEST(a_stream_that_is_as_it_should_be_is_left_alone)
{
	come_up_anew();
	ensure();
	answer(0, INFO_OF_STREAM, PRESENT("1000000"));
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, 0);
	turns(5);
	ck_assert_ptr_null(strstr(servers[0].heard, UPDATE));
}
END_TEST

START_TEST(what_others_have_set_of_a_stream_stays)
{
	come_up_anew();
	ensure();
	answer(0, INFO_OF_STREAM, PRESENT("7"));
	wait_to_hear(0, UPDATE);
	wait_to_hear(0, "\"max_age\":1000000");
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"headers_only\":true"));
	ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"compression\":\"s2\""));
	answer(0, UPDATE, "{}");
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, 0);
}
END_TEST

/* Each allocation that Jansson makes once it is answered fails once. */
START_TEST(a_change_is_sent_whole_or_not_at_all)
{
	static const char present[] = "{\"config\":{\"name\":\"S\"}}";
	unsigned failures = 0;
	int has_failed = 1;

	json_set_alloc_funcs(mem_alloc, mem_free);
	for (unsigned long nth = 1; has_failed && nth < 300; nth++) {
		unsigned sid;

		come_up_anew();
		ensure();
		sid = inbox_sid(0, reply_subject(0, INFO_OF_STREAM));
		answer_again(INFO_OF_STREAM, sid, present);
		mem_fail_at(nth);
		turns(3);
		has_failed = mem_failed();
		mem_fail_at(0);
		failures += told.done;
		ck_assert(told.done == 0 || told.err < 0);
		if (servers[0].heard_n > 0 && strstr(servers[0].heard, UPDATE)) {
			ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"max_bytes\":2222"));
			ck_assert_ptr_nonnull(
			    strstr(servers[0].heard, "\"max_msgs_per_subject\":3333"));
			ck_assert_ptr_nonnull(strstr(servers[0].heard, "\"dest\":\"live.>\""));
		}
		nats_client_free(client);
		client = NULL;
		turns(2);
	}
	json_set_alloc_funcs(malloc, free);
	ck_assert_uint_gt(failures, 20);
}
END_TEST

static void last(void)
{
	memset(&call, 0, sizeof(call));
	ck_assert_int_eq(nats_stream_last(client, &call, "S", "in.a", 1000, on_call), 0);
}

START_TEST(that_there_is_no_message_is_known_by_its_number)
{
	static const struct {
		const char *answer;
		int err;
		uint64_t sequence;
	} table[] = {
		{ "{\"message\":{\"seq\":7,\"data\":\"\"}}", 0, 7 },
		{ "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"none\"}}", 0, 0 },
		{ "{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"no stream for the "
		  "message\"}}",
		    -ENOENT, 0 },
		{ "{}", -EBADMSG, 0 },
	};

	come_up_anew();
	last();
	answer(0, "PUB $JS.API.STREAM.MSG.GET.S", table[_i].answer);
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, table[_i].err);
	ck_assert_uint_eq(call.sequence, table[_i].sequence);
}
END_TEST

static void say_much(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(servers[0].fd, text, n, MSG_NOSIGNAL);

		ck_assert(sent > 0 || errno == EAGAIN);
		text += sent > 0 ? sent : 0;
		n -= sent > 0 ? (size_t)sent : 0;
		turn();
	}
}

/* The object is followed by so many blanks that it has n octets. */
static void answer_with(const char *line, size_t n, const char *json)
{
	static char text[400000];
	const char *reply = reply_subject(0, line);
	int head = snprintf(text, sizeof(text), "MSG %s %u %zu\r\n", reply, inbox_sid(0, reply), n);

	memset(text + head, ' ', n);
	memcpy(text + head, json, strlen(json));
	memcpy(text + head + n, "\r\n", 2);
	say_much(text, (size_t)head + n + 2);
}

/* One that has a message in it may be longer by that; of this server they have 1000 octets. */
START_TEST(an_answer_that_is_too_large_is_not_taken_apart)
{
	static const struct {
		bool is_of_message;
		size_t n;
		int err;
	} table[] = {
		{ false, NATS_JS_ANSWER_MAX, 0 },
		{ false, NATS_JS_ANSWER_MAX + 1, -EMSGSIZE },
		{ true, NATS_JS_ANSWER_MAX + 1000, 0 },
		{ true, NATS_JS_ANSWER_MAX + 1400, -EMSGSIZE },
	};

	come_up_anew();
	if (table[_i].is_of_message) {
		last();
		answer_with(
		    "PUB $JS.API.STREAM.MSG.GET.S", table[_i].n, "{\"message\":{\"seq\":7}}");
	} else {
		ensure();
		answer_with(INFO_OF_STREAM, table[_i].n, PRESENT("1000000"));
	}
	wait_for(&told.done, 1);
	ck_assert_int_eq(told.err, table[_i].err);
}
END_TEST

static void on_stored(
    struct nats_store *s, int err, const char *why, const struct nats_stored *stored)
{
	(void)s, (void)stored;
	told.done++;
	told.err = err;
	told_of(why);
}

START_TEST(what_was_cancelled_is_not_told)
{
	struct nats_message m = { .subject = BYTES("in.a") };
	struct nats_store store = { .done = NULL };

	come_up_anew();
	ensure();
	ck_assert_int_eq(nats_stream_publish(client, &store, &m, 500, on_stored), 0);
	wait_to_hear(0, "PUB in.a ");
	if (_i) {
		nats_store_cancel(&store);
		nats_stream_cancel(&call);
	}
	answer(0, "PUB in.a", "{\"stream\":\"S\",\"seq\":1}");
	answer(0, INFO_OF_STREAM, PRESENT("1000000"));
	turns(300);
	ck_assert_uint_eq(told.done, _i ? 0 : 2);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, a_fetch_says_how_it_ended, 0, 7);
	tcase_add_loop_test(tc, a_fetch_whose_octets_or_time_are_used_up_is_well, 0, 2);
	tcase_add_loop_test(tc, a_fetch_of_which_something_is_lost_says_so, 0, 2);
	tcase_add_loop_test(tc, a_message_that_looks_like_a_status_is_a_message, 0, 2);
	tcase_add_loop_test(tc, what_is_no_name_is_refused_at_once, 0, 5);
	tcase_add_loop_test(tc, what_is_no_subject_is_refused_at_once, 0, 4);
	tcase_add_test(tc, a_stream_that_is_not_there_is_told_and_waited_for);
	tcase_add_loop_test(
	    tc, work_that_is_refused_is_told_and_tried_again_from_the_consumer_on, 0, 6);
	tcase_add_test(tc, work_goes_on_asking_when_its_question_is_over);
	tcase_add_test(tc, work_waits_for_a_connection_in_silence);
	tcase_add_test(tc, a_stream_that_is_as_it_should_be_is_left_alone);
	tcase_add_test(tc, what_others_have_set_of_a_stream_stays);
	tcase_add_test(tc, a_change_is_sent_whole_or_not_at_all);
	tcase_add_loop_test(tc, that_there_is_no_message_is_known_by_its_number, 0, 4);
	tcase_add_loop_test(tc, an_answer_that_is_too_large_is_not_taken_apart, 0, 4);
	tcase_add_loop_test(tc, what_was_cancelled_is_not_told, 0, 2);
	tcase_add_loop_test(tc, a_fetch_ends_with_its_client_and_may_be_cancelled_afterwards, 0, 3);
	tcase_add_loop_test(tc, work_ends_with_its_client_and_may_be_stopped_afterwards, 0, 2);
	tcase_add_test(tc, work_may_end_its_client_in_a_callback);
}

int main(void)
{
	return nats_tests_run("nats_js", add_tests);
}
