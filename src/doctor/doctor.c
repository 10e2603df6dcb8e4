/*
 * doctor/doctor.c - does what its clients order; see doctor.h.
 *
 * What is late on purpose, a push and a silence, has one timer. A client that reads slowly is not
 * read either, and its pushes wait.
 */
#include "doctor/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "doctor/orders.h"
#include "doctor/report.h"
#include "doctor/sight.h"
#include "server/json_text.h"

#define ERRORS_MOST   100
#define MESSAGES_MOST 10000
#define REPORTS_MOST  3
#define LIFE_MS       1200000
#define PUSHES_A_TURN 64
#define AGENT_MOST    256
#define GREETINGS_MOST 20
#define GREETINGS_MS   100

struct push {
	bool is_on;
	bool is_unasked; /* one that was asked for takes its place */
	int64_t id, seq, of, bytes, every_ms;
	uint64_t due; /* by the clock */
};

struct silence {
	bool is_on;
	int64_t id, ms;
	uint64_t due;
};

struct doctor_session {
	struct sockjs_session *session;
	struct doctor *doctor;
	char *sight; /* members of `seen`; NULL: memory was out */
	char agent[AGENT_MOST + 1];
	uint64_t opened; /* by the clock */
	int64_t count;   /* messages that came */
	unsigned errors, reports;
	struct push push;
	struct silence silence;
	int greetings; /* pushes that come unasked, after `seen`; -1: neither */
	bool is_full;  /* what it was sent waits */
	bool is_over;  /* it was closed from here */
};

/* --- saying ------------------------------------------------------------------------------- */

static void end(struct doctor_session *ds, unsigned code, const char *reason)
{
	ds->is_over = true;
	sockjs_close(ds->session, code, reason);
}

static void end_without_memory(struct doctor_session *ds)
{
	end(ds, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

/* `"is":"echo","id":7,"at_ms":12`, behind a brace. */
static int begin(const struct doctor_session *ds, struct buf *out, const char *is, int64_t id)
{
	int64_t at = (int64_t)(clock_now() - ds->opened);

	if (id < 0)
		return buf_printf(out, "{\"is\":\"%s\",\"id\":null,\"at_ms\":%" PRId64, is, at);
	return buf_printf(out, "{\"is\":\"%s\",\"id\":%" PRId64 ",\"at_ms\":%" PRId64, is, id, at);
}

/* `err` is that of what was written. */
static void say(struct doctor_session *ds, struct buf *out, int err)
{
	int status = err < 0 ? -ENOMEM : buf_add_str(out, "}");

	if (status == 0)
		status = sockjs_send(ds->session, buf_data(out), buf_len(out));
	buf_fini(out);
	if (status == -ENOMEM) {
		end_without_memory(ds);
	} else if (status == SOCKJS_FULL) {
		ds->is_full = true;
		sockjs_pause(ds->session);
	}
}

/* What proxies and WebSockets compress would be less than it was. */
static void fill(char *room, size_t n)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t x = random_u32() | 1;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		room[i] = letters[x >> 26];
	}
}

static int add_pad(struct buf *out, int64_t bytes)
{
	char *room = buf_add_str(out, ",\"pad\":\"") < 0 ? NULL : buf_reserve(out, (size_t)bytes + 1);

	if (!room)
		return -ENOMEM;
	fill(room, (size_t)bytes);
	buf_commit(out, (size_t)bytes);
	return buf_add_str(out, "\"");
}

/* The sentence may repeat what the client has said. */
static void say_error(struct doctor_session *ds, int64_t id, const char *code, const char *sentence)
{
	struct buf out = BUF_INIT;
	json_t *text = json_string(sentence);
	int err = begin(ds, &out, "error", id);

	if (err == 0)
		err = buf_printf(&out, ",\"code\":\"%s\",\"message\":", code);
	if (err == 0)
		err = json_text_dump(text ? text : json_null(), JSON_COMPACT | JSON_ENCODE_ANY, &out);
	json_decref(text);
	say(ds, &out, err);
	if (++ds->errors >= ERRORS_MOST && !ds->is_over)
		end(ds, DOCTOR_NONSENSE, "Too many errors");
}

/* --- orders that have an answer at once --------------------------------------------------- */

static void do_seen(struct doctor_session *ds, const struct order *o)
{
	struct buf out = BUF_INIT;
	time_t now = time(NULL);
	char text[24];
	struct tm tm;
	int err;

	if (!ds->sight) {
		say_error(ds, o->id, "no_memory", "Out of memory.");
		return;
	}
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	err = begin(ds, &out, "seen", o->id);
	if (err == 0)
		err = buf_printf(&out, ",\"time\":\"%s\",", text);
	if (err == 0)
		err = buf_add_str(&out, ds->sight);
	say(ds, &out, err);
}

static void do_echo(struct doctor_session *ds, const struct order *o, size_t octets)
{
	struct buf out = BUF_INIT;
	int err = begin(ds, &out, "echo", o->id);

	if (err == 0 && o->seq >= 0)
		err = buf_printf(&out, ",\"seq\":%" PRId64, o->seq);
	else if (err == 0)
		err = buf_add_str(&out, ",\"seq\":null");
	if (err == 0)
		err = buf_printf(&out, ",\"count\":%" PRId64 ",\"octets\":%zu", ds->count, octets);
	say(ds, &out, err < 0 ? err : add_pad(&out, o->bytes));
}

static void do_stop(struct doctor_session *ds, const struct order *o)
{
	struct buf out = BUF_INIT;
	int stopped = ds->push.is_on + ds->silence.is_on, err;

	ds->push.is_on = ds->silence.is_on = false;
	err = begin(ds, &out, "stop", o->id);
	say(ds, &out, err < 0 ? err : buf_printf(&out, ",\"stopped\":%d", stopped));
}

static void say_kept(struct doctor_session *ds, const struct order *o, const char *network, bool kept)
{
	struct buf out = BUF_INIT;
	int err = begin(ds, &out, "report", o->id);

	if (err == 0)
		err = buf_printf(
		    &out, ",\"kept\":%s,\"network\":\"%s\"", kept ? "true" : "false", network);
	say(ds, &out, err);
}

static int keep(struct doctor_session *ds, const char *network, const json_t *report)
{
	const struct reporter who = {
		.network = network,
		.address = sockjs_remote(ds->session),
		.agent = ds->agent[0] ? ds->agent : NULL,
		.transport = sockjs_transport(ds->session),
	};
	int err = reports_add(&ds->doctor->reports, &who, report);

	ds->reports += err == 0;
	return err;
}

static void do_report(struct doctor_session *ds, const struct order *o)
{
	char why[200], network[ADDR_TEXT_MAX];
	json_t *report = report_read(o->report, why, sizeof(why));
	bool has_room = ds->reports < REPORTS_MOST;
	int err = report ? 0 : why[0] ? -EINVAL : -ENOMEM;

	sight_network(sockjs_remote(ds->session), network);
	if (err == 0 && has_room)
		err = keep(ds, network, report);
	json_decref(report);
	if (err == -ENOMEM)
		say_error(ds, o->id, "no_memory", "Out of memory.");
	else if (err == -EMSGSIZE)
		say_error(ds, o->id, "wrong_member", "The report is too long.");
	else if (err < 0)
		say_error(ds, o->id, "wrong_member", why);
	else
		say_kept(ds, o, network, has_room);
}

/* --- what is late on purpose ------------------------------------------------------------- */

static void do_push(struct doctor_session *ds, const struct order *o)
{
	if (ds->push.is_on && !ds->push.is_unasked) {
		say_error(ds, o->id, "busy", "A push is under way already.");
		return;
	}
	ds->push = (struct push){
		.is_on = true,
		.id = o->id,
		.of = o->count,
		.bytes = o->bytes,
		.every_ms = o->every_ms,
		.due = clock_now(),
	};
}

static void do_silence(struct doctor_session *ds, const struct order *o)
{
	if (ds->silence.is_on) {
		say_error(ds, o->id, "busy", "A silence is under way already.");
		return;
	}
	ds->silence = (struct silence){ true, o->id, o->ms, clock_now() + (uint64_t)o->ms };
}

static void say_push(struct doctor_session *ds)
{
	struct push *p = &ds->push;
	struct buf out = BUF_INIT;
	int err = begin(ds, &out, "push", p->id);

	p->seq++;
	if (err == 0)
		err = buf_printf(&out, ",\"seq\":%" PRId64 ",\"of\":%" PRId64, p->seq, p->of);
	p->is_on = p->seq < p->of;
	p->due += (uint64_t)p->every_ms;
	say(ds, &out, err < 0 ? err : add_pad(&out, p->bytes));
}

static void say_silence(struct doctor_session *ds)
{
	struct buf out = BUF_INIT;
	int err = begin(ds, &out, "silence", ds->silence.id);

	ds->silence.is_on = false;
	say(ds, &out, err < 0 ? err : buf_printf(&out, ",\"ms\":%" PRId64, ds->silence.ms));
}

/* --- what is to be done now ------------------------------------------------------------------ */

static void do_due(struct doctor_session *ds, uint64_t now)
{
	int left = PUSHES_A_TURN;

	while (ds->push.is_on && ds->push.due <= now && !ds->is_full && !ds->is_over && left-- > 0)
		say_push(ds);
	if (ds->silence.is_on && ds->silence.due <= now && !ds->is_over)
		say_silence(ds);
	if (!ds->is_over && now >= ds->opened + LIFE_MS)
		end(ds, DOCTOR_TIME_IS_UP, "Time is up");
}

static uint64_t find_next(const struct doctor_session *ds)
{
	uint64_t next = ds->opened + LIFE_MS;

	if (ds->push.is_on && !ds->is_full && ds->push.due < next)
		next = ds->push.due;
	return ds->silence.is_on && ds->silence.due < next ? ds->silence.due : next;
}

static void settle(struct doctor_session *ds)
{
	uint64_t now = clock_now(), next;

	do_due(ds, now);
	if (ds->is_over)
		return;
	next = find_next(ds);
	if (sockjs_set_timer(ds->session, next > now ? (unsigned)(next - now) : 1) < 0)
		end_without_memory(ds);
}

/* --- messages ---------------------------------------------------------------------------------- */

static void obey(struct doctor_session *ds, const struct order *o, size_t octets)
{
	switch (o->kind) {
	case ORDER_SEEN:
		do_seen(ds, o);
		break;
	case ORDER_ECHO:
		do_echo(ds, o, octets);
		break;
	case ORDER_PUSH:
		do_push(ds, o);
		break;
	case ORDER_SILENCE:
		do_silence(ds, o);
		break;
	case ORDER_STOP:
		do_stop(ds, o);
		break;
	case ORDER_CLOSE:
		end(ds, (unsigned)o->code, o->reason);
		break;
	case ORDER_REPORT:
		do_report(ds, o);
		break;
	}
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct doctor_session *ds = sockjs_user(s);
	struct order_fault fault;
	struct order order = { 0 };

	(void)app;
	if (ds->is_over)
		return;
	ds->count++;
	if (ds->count > MESSAGES_MOST)
		end(ds, DOCTOR_TOO_MANY, "Too many messages");
	else if (order_read(&order, (struct bytes){ m->data, m->len }, &fault) < 0)
		say_error(ds, order.id, fault.code, fault.sentence);
	else
		obey(ds, &order, m->len);
	order_fini(&order);
	if (!ds->is_over)
		settle(ds);
}

/* --- unasked ------------------------------------------------------------------------------------ */

static int few(long n)
{
	return n < GREETINGS_MOST ? (int)n : GREETINGS_MOST;
}

/* "greet=N" in the query of the request that opens: for those whose orders do not arrive. */
static int read_greetings(const char *query)
{
	int n = -1;

	while (*query && n < 0) {
		if (strncmp(query, "greet=", 6) == 0 && query[6] >= '0' && query[6] <= '9')
			n = few(strtol(query + 6, NULL, 10));
		query += strcspn(query, "&");
		query += *query == '&';
	}
	return n;
}

static void greet(struct doctor_session *ds)
{
	static const struct order seen = { .kind = ORDER_SEEN, .id = -1, .seq = -1 };
	struct order push = { .kind = ORDER_PUSH, .id = -1, .every_ms = GREETINGS_MS };

	push.count = ds->greetings;
	if (ds->greetings >= 0)
		do_seen(ds, &seen);
	if (ds->greetings > 0 && !ds->is_over)
		do_push(ds, &push);
	ds->push.is_unasked = true;
}

/* --- the others -------------------------------------------------------------------------------- */

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	struct doctor_session *ds = mem_zalloc(sizeof(*ds));

	if (!ds)
		return 503;
	ds->doctor = app;
	ds->sight = sight_take(h);
	sight_agent(h, ds->agent, sizeof(ds->agent));
	ds->greetings = read_greetings(sockjs_handshake_query(h));
	sockjs_handshake_set_user(h, ds);
	return 0;
}

/* It is the network that is to be seen, not what keeps it awake: no heartbeats. */
static void on_open(struct sockjs_session *s, void *app)
{
	struct doctor_session *ds = sockjs_user(s);

	(void)app;
	ds->session = s;
	ds->opened = clock_now();
	sockjs_set_heartbeat(s, 1);
	greet(ds);
	if (!ds->is_over)
		settle(ds);
}

static void on_writable(struct sockjs_session *s, void *app)
{
	struct doctor_session *ds = sockjs_user(s);

	(void)app;
	ds->is_full = false;
	sockjs_resume(s);
	if (!ds->is_over)
		settle(ds);
}

static void on_timer(struct sockjs_session *s, void *app)
{
	struct doctor_session *ds = sockjs_user(s);

	(void)app;
	if (!ds->is_over)
		settle(ds);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct doctor_session *ds = sockjs_user(s);

	(void)code, (void)reason, (void)app;
	mem_free(ds->sight);
	mem_free(ds);
}

static void on_command(struct sockjs_command *c, void *app)
{
	struct doctor *d = app;

	reports_command(&d->reports, c);
}

const struct sockjs_callbacks doctor_callbacks = {
	.handshake = on_handshake,
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.timer = on_timer,
	.close = on_close,
	.commands = reports_commands,
	.command = on_command,
};

/* --- life ------------------------------------------------------------------------------------ */

struct doctor *doctor_new(void)
{
	struct doctor *d = mem_zalloc(sizeof(*d));

	if (d)
		reports_init(&d->reports);
	return d;
}

void doctor_free(struct doctor *d)
{
	if (!d)
		return;
	reports_fini(&d->reports);
	mem_free(d);
}
