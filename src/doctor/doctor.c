/*
 * doctor/doctor.c - does what its clients order; see doctor.h.
 *
 * What is late on purpose, a push and a silence, has one timer. A client that reads slowly is not
 * read either, and its pushes wait.
 */
#include "doctor/doctor_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "doctor/sight.h"

#define MESSAGES_MOST  10000
#define LIFE_MS        1200000
#define PUSHES_A_TURN  64
#define GREETINGS_MS   100

/* --- what is late on purpose ------------------------------------------------------------- */

static void do_push(struct doctor_session *ds, const struct order *o)
{
	if (ds->push.is_on && !ds->push.is_unasked) {
		doctor_say_error(ds, o->id, "busy", "A push is under way already.");
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
		doctor_say_error(ds, o->id, "busy", "A silence is under way already.");
		return;
	}
	ds->silence = (struct silence){ true, o->id, o->ms, clock_now() + (uint64_t)o->ms };
}

static void say_push(struct doctor_session *ds)
{
	struct push *p = &ds->push;
	struct buf out = BUF_INIT;
	int err = doctor_begin(ds, &out, "push", p->id);

	p->seq++;
	if (err == 0)
		err = buf_printf(&out, ",\"seq\":%" PRId64 ",\"of\":%" PRId64, p->seq, p->of);
	p->is_on = p->seq < p->of;
	p->due += (uint64_t)p->every_ms;
	doctor_say(ds, &out, err < 0 ? err : doctor_add_pad(&out, p->bytes));
}

static void say_silence(struct doctor_session *ds)
{
	struct buf out = BUF_INIT;
	int err = doctor_begin(ds, &out, "silence", ds->silence.id);

	ds->silence.is_on = false;
	doctor_say(ds, &out, err < 0 ? err : buf_printf(&out, ",\"ms\":%" PRId64, ds->silence.ms));
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
		doctor_end(ds, DOCTOR_TIME_IS_UP, "Time is up");
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
		doctor_end_without_memory(ds);
}

/* --- messages ---------------------------------------------------------------------------------- */

static void obey(struct doctor_session *ds, const struct order *o, size_t octets)
{
	switch (o->kind) {
	case ORDER_SEEN:
		doctor_do_seen(ds, o);
		break;
	case ORDER_ECHO:
		doctor_do_echo(ds, o, octets);
		break;
	case ORDER_PUSH:
		do_push(ds, o);
		break;
	case ORDER_SILENCE:
		do_silence(ds, o);
		break;
	case ORDER_STOP:
		doctor_do_stop(ds, o);
		break;
	case ORDER_CLOSE:
		doctor_end(ds, (unsigned)o->code, o->reason);
		break;
	case ORDER_REPORT:
		doctor_do_report(ds, o);
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
		doctor_end(ds, DOCTOR_TOO_MANY, "Too many messages");
	else if (order_read(&order, (struct bytes){ m->data, m->len }, &fault) < 0)
		doctor_say_error(ds, order.id, fault.code, fault.sentence);
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
		doctor_do_seen(ds, &seen);
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

void doctor_session_free(struct doctor_session *ds)
{
	mem_free(ds->sight);
	mem_free(ds);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	(void)code, (void)reason, (void)app;
	doctor_session_free(sockjs_user(s));
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
	.save = doctor_save,
	.restore = doctor_restore,
};

/* --- life ------------------------------------------------------------------------------------ */

struct doctor *doctor_new(const struct sockjs_server *server)
{
	struct doctor *d = mem_zalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->server = server;
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
