/*
 * unruly/unruly.c - does wrong what a client asks for; see unruly.h.
 *
 * After whatever happens to a session settle() looks what is to be done now, what its client is not
 * to be read for, and when to look again: there is one timer for all that is late.
 */
#include "unruly/unruly_private.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

/* --- answering ---------------------------------------------------------------------- */

static void end(struct unruly_session *us, unsigned code, const char *reason)
{
	us->is_over = true;
	sockjs_close(us->session, code, reason);
}

/* As the server itself ends a session when its memory is out. */
static void end_without_memory(struct unruly_session *us)
{
	end(us, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static void say(struct unruly_session *us, const struct answer *one)
{
	int status = one->is_binary ? sockjs_send_binary(us->session, one->data, one->len)
	                            : sockjs_send(us->session, one->data, one->len);

	if (status == SOCKJS_FULL)
		us->is_full = true;
	else if (status == -ENOMEM)
		end_without_memory(us);
}

/* What is due, as long as the client takes it. */
static void say_due(struct unruly_session *us, uint64_t now)
{
	const struct answer *one;

	while (!us->is_full && !us->is_over && (one = answers_first(&us->answers)) &&
	       one->due <= now) {
		say(us, one);
		answers_drop_first(&us->answers);
	}
}

static bool has_answer(const struct wishes *w, uint64_t n)
{
	return n <= w->silent_after && n != w->drop &&
	       (w->drop_every == 0 || n % w->drop_every != 0);
}

static void answer(struct unruly_session *us, const struct sockjs_message *m)
{
	uint64_t due = clock_now() + us->wishes.delay_ms;

	if (!has_answer(&us->wishes, us->count))
		return;
	if (answers_add(&us->answers, m, due) < 0 ||
	    (us->wishes.is_twice && answers_add(&us->answers, m, due) < 0))
		end_without_memory(us);
}

/* --- what is to be done now ------------------------------------------------------------ */

/* No more is read: the last answers go out, then it is closed. */
static bool is_closing(const struct unruly_session *us)
{
	const struct wishes *w = &us->wishes;

	return w->close_code && w->close_in_ms == 0 && us->count >= w->close_after;
}

static void end_as_wished(struct unruly_session *us, uint64_t now)
{
	const struct wishes *w = &us->wishes;

	if (us->is_over)
		return;
	if (us->count >= w->oom_after)
		end_without_memory(us);
	else if ((us->close_at && now >= us->close_at) ||
	         (is_closing(us) && !answers_first(&us->answers)))
		end(us, w->close_code, w->reason);
}

static bool wants_pause(const struct unruly_session *us, uint64_t now)
{
	return us->is_full || is_closing(us) || us->count >= us->wishes.deaf_after ||
	       now < us->resume_at || answers_are_many(&us->answers);
}

static void pause_or_resume(struct unruly_session *us, uint64_t now)
{
	bool wants = wants_pause(us, now);

	if (wants == us->is_paused)
		return;
	us->is_paused = wants;
	if (wants)
		sockjs_pause(us->session);
	else
		sockjs_resume(us->session);
}

static void consider(uint64_t *nearest, uint64_t at, uint64_t now)
{
	if (at > now && (*nearest == 0 || at < *nearest))
		*nearest = at;
}

static void set_timer(struct unruly_session *us, uint64_t now)
{
	const struct answer *one = us->is_full ? NULL : answers_first(&us->answers);
	uint64_t nearest = 0;

	consider(&nearest, one ? one->due : 0, now);
	consider(&nearest, us->resume_at, now);
	consider(&nearest, us->close_at, now);
	if (sockjs_set_timer(us->session, nearest ? (unsigned)(nearest - now) : 0) < 0)
		end_without_memory(us);
}

static void settle(struct unruly_session *us)
{
	uint64_t now = clock_now();

	say_due(us, now);
	end_as_wished(us, now);
	if (us->is_over)
		return;
	if (us->count >= us->wishes.fail_after)
		sockjs_fail_sends(us->session, 1);
	pause_or_resume(us, now);
	set_timer(us, now);
}

/* --- a session begins ------------------------------------------------------------------ */

void unruly_session_free(struct unruly_session *us)
{
	answers_fini(&us->answers);
	mem_free(us->path);
	mem_free(us);
}

struct unruly_session *unruly_session_new(struct unruly *u, const char *path)
{
	struct unruly_session *us = mem_zalloc(sizeof(*us));

	if (!us)
		return NULL;
	us->unruly = u;
	answers_init(&us->answers);
	us->path = mem_strdup(path);
	if (!us->path) {
		unruly_session_free(us);
		return NULL;
	}
	wishes_read(&us->wishes, path, us->complaint);
	return us;
}

static int on_handshake(struct sockjs_handshake *h, void *app)
{
	struct unruly_session *us = unruly_session_new(app, sockjs_handshake_path(h));
	int status;

	if (!us)
		return 503;
	status = (int)us->wishes.refuse;
	us->is_held = us->wishes.hold_ms > 0;
	if (status == 0 || us->is_held) {
		sockjs_handshake_set_user(h, us);
		return us->is_held ? SOCKJS_LATER : 0;
	}
	unruly_session_free(us);
	return status;
}

static void on_connecting(struct sockjs_session *s, void *app)
{
	struct unruly_session *us = sockjs_user(s);

	(void)app;
	us->session = s;
	us->has_begun = true;
	us->decide_at = clock_now() + us->wishes.hold_ms;
	if (sockjs_set_timer(s, us->wishes.hold_ms) < 0)
		sockjs_refuse(s, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static void decide(struct unruly_session *us)
{
	unsigned status = us->wishes.refuse;
	char sentence[32];

	snprintf(sentence, sizeof(sentence), "Refused with %u", status);
	if (status)
		sockjs_refuse(us->session, status, UNRULY_REFUSED + status, sentence);
	else if (sockjs_accept(us->session, NULL) < 0)
		sockjs_refuse(us->session, 503, SOCKJS_CLOSE_INTERNAL_ERROR, "Out of memory");
}

static int remember(struct unruly_session *us)
{
	if (!us->wishes.name[0])
		return 0;
	sockjs_set_user_name(us->session, us->wishes.name);
	return record_begin(&us->unruly->records, &us->record, us->wishes.name,
	    sockjs_id(us->session), sockjs_transport(us->session));
}

static void on_open(struct sockjs_session *s, void *app)
{
	struct unruly_session *us = sockjs_user(s);
	int err;

	(void)app;
	us->session = s;
	us->has_begun = true;
	us->is_held = false;
	err = remember(us);
	if (us->wishes.close_in_ms)
		us->close_at = clock_now() + us->wishes.close_in_ms;
	if (us->complaint[0])
		end(us, UNRULY_NO_SENSE, us->complaint);
	else if (err == -EBUSY)
		end(us, SOCKJS_CLOSE_TRY_AGAIN_LATER, "Too many sessions with names are open");
	else if (err < 0)
		end_without_memory(us);
	else
		settle(us);
	if (us->record)
		received_look(&us->unruly->received);
}

/* --- and goes on ------------------------------------------------------------------------- */

/* Only where a send has no answer does a message come that should have failed. */
static bool has_failed(const struct unruly_session *us)
{
	const char *transport = sockjs_transport(us->session);

	return us->count >= us->wishes.fail_after &&
	       (strncmp(transport, "websocket", 9) == 0 || strcmp(transport, "tcp") == 0);
}

static void take(struct unruly_session *us, const struct sockjs_message *m)
{
	us->count++;
	if (us->record)
		record_add(&us->unruly->records, us->record, m);
	if (us->count < us->wishes.oom_after)
		answer(us, m);
	if (us->wishes.slow_ms)
		us->resume_at = clock_now() + us->wishes.slow_ms;
	settle(us);
	if (us->record)
		received_look(&us->unruly->received);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	struct unruly_session *us = sockjs_user(s);

	(void)app;
	if (us->is_over)
		return;
	if (has_failed(us))
		end(us, SOCKJS_CLOSE_INTERNAL_ERROR, "A send has failed");
	else
		take(us, m);
}

static void on_writable(struct sockjs_session *s, void *app)
{
	struct unruly_session *us = sockjs_user(s);

	(void)app;
	us->is_full = false;
	if (!us->is_over)
		settle(us);
}

static void on_timer(struct sockjs_session *s, void *app)
{
	struct unruly_session *us = sockjs_user(s);

	(void)app;
	if (us->is_held)
		decide(us);
	else if (!us->is_over)
		settle(us);
}

static void on_close(struct sockjs_session *s, unsigned code, const char *reason, void *app)
{
	struct unruly_session *us = sockjs_user(s);
	struct unruly *u = app;

	if (us->record) {
		record_end(&u->records, us->record, code, reason);
		received_look(&u->received);
	}
	unruly_session_free(us);
}

static size_t on_held(const struct sockjs_session *s, void *app)
{
	const struct unruly_session *us = sockjs_user(s);

	(void)app;
	return us->answers.bytes + (us->record ? us->record->bytes : 0);
}

static void on_command(struct sockjs_command *c, void *app)
{
	struct unruly *u = app;

	received_command(&u->received, c);
}

const struct sockjs_callbacks unruly_callbacks = {
	.handshake = on_handshake,
	.connecting = on_connecting,
	.open = on_open,
	.message = on_message,
	.writable = on_writable,
	.timer = on_timer,
	.close = on_close,
	.held = on_held,
	.commands = received_commands,
	.command = on_command,
	.save = unruly_save,
	.restore = unruly_restore,
};

/* --- life ------------------------------------------------------------------------------- */

struct unruly *unruly_new(struct sockjs_server *server)
{
	struct unruly *u = mem_zalloc(sizeof(*u));

	if (!u)
		return NULL;
	records_init(&u->records);
	received_init(&u->received, server, &u->records);
	return u;
}

void unruly_free(struct unruly *u)
{
	if (!u)
		return;
	received_end(&u->received);
	records_fini(&u->records);
	mem_free(u);
}

bool unruly_is_idle(struct unruly *u)
{
	return received_is_idle(&u->received);
}
