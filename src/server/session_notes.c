/*
 * server/session_notes.c - what is noted in the record of a session; see session_notes.h.
 *
 * Origin and program of a client stand in one text with a NUL between them, which all who come from
 * the same page with the same browser share.
 */
#include "server/session_notes.h"

#include <string.h>

#include "base/log.h"
#include "base/utf8.h"
#include "server/attempts.h"
#include "server/handshake.h"
#include "server/server_private.h"
#include "session/session_record.h"

#define ORIGIN_SHOWN 256 /* octets that are kept of each */
#define AGENT_SHOWN  256
#define USER_SHOWN   128
#define YOUNG_MS     20000

/* --- where a client comes from ----------------------------------------------------- */

static struct bytes cut(struct bytes text, size_t most)
{
	if (text.n <= most)
		return text;
	while (most > 0 && ((unsigned char)text.p[most] & 0xc0) == 0x80)
		most--; /* not in the middle of a character */
	return (struct bytes){ text.p, most };
}

/* What a header says need not be text; what is shown is. */
static char *put_text(char *to, struct bytes text)
{
	char *end = bytes_put(to, text);

	if (!utf8_is_valid(to, text.n))
		for (char *p = to; p < end; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
	return end;
}

static const char *take_from(struct sockjs_session *s, struct http_request *r)
{
	struct bytes origin = cut(http_request_header(r, HTTP_ORIGIN), ORIGIN_SHOWN), agent = { 0 };
	struct buf all = BUF_INIT;
	char text[ORIGIN_SHOWN + 1 + AGENT_SHOWN], *end = text;

	if (http_request_join_header(r, "User-Agent", &all) > 0)
		agent = cut((struct bytes){ buf_data(&all), buf_len(&all) }, AGENT_SHOWN);
	end = put_text(end, origin);
	*end++ = '\0';
	end = put_text(end, agent);
	buf_fini(&all);
	return name_take(session_reactor_of(s), (struct bytes){ text, (size_t)(end - text) });
}

struct bytes session_notes_origin(const struct session_record *record)
{
	return record && record->from ? bytes_of(record->from) : (struct bytes){ 0 };
}

struct bytes session_notes_agent(const struct session_record *record)
{
	if (!record || !record->from)
		return (struct bytes){ 0 };
	return bytes_of(record->from + strlen(record->from) + 1);
}

bool session_notes_are_wanted(const struct server_config *config)
{
	return server_config_takes_commands(config) || config->logs.sessions.file;
}

/* --- what was tried before ------------------------------------------------------------- */

static uint64_t key_of(const struct sockjs_session *s)
{
	return attempts_key(s->endpoint->server->attempts, &s->client, s->endpoint->place,
	    session_notes_agent(session_record(&s->base)));
}

static void look_back(struct sockjs_session *s)
{
	struct attempts *attempts = s->endpoint->server->attempts;
	struct session_record *record = session_record(&s->base);

	record->tried = attempts_before(attempts, key_of(s),
	    session_transport_place(s->base.reactor, s->base.transport), record->tried,
	    loop_now(s->base.reactor->loop));
}

/* That an attempt has failed may be noticed when the next one is under way already. */
static bool is_young(const struct session *s)
{
	return loop_now(s->reactor->loop) - s->record->began < YOUNG_MS;
}

void session_notes_over(struct sockjs_session *s)
{
	struct attempts *attempts = s->endpoint->server->attempts;
	const struct session *b = &s->base;

	if (!session_record(b))
		return;
	if (is_young(b))
		look_back(s);
	if (!b->opened || (b->lost && !b->heard))
		attempts_failed(attempts, key_of(s),
		    session_transport_place(b->reactor, b->transport),
		    b->opened ? ATTEMPT_UNHEARD : ATTEMPT_UNOPENED, loop_now(b->reactor->loop));
}

/* --- the record's life ----------------------------------------------------------------- */

void session_notes_begin(struct sockjs_session *s, const struct sockjs_handshake *h)
{
	if (!session_notes_are_wanted(session_reactor_of(s)->config))
		return;
	if (session_record_begin(&s->base) < 0) {
		log_warn_limited("no record is kept of a session: out of memory",
		    LOG_INT("session", s->base.id));
		return;
	}
	if (h->t->http)
		s->base.record->from = take_from(s, h->t->http);
	look_back(s);
}

void session_notes_end(struct sockjs_session *s)
{
	const struct session_record *record = session_record(&s->base);

	if (!record)
		return;
	name_drop(session_reactor_of(s), record->from);
	name_drop(session_reactor_of(s), record->user);
}

/* --- from applications ---------------------------------------------------------------- */

void sockjs_set_user_name(struct sockjs_session *s, const char *name)
{
	struct session_record *record = session_record(&s->base);
	struct reactor *r = session_reactor_of(s);
	const char *before = record ? record->user : NULL;

	if (!record)
		return;
	/* Without memory it is not known */
	record->user = name ? name_take(r, cut(bytes_of(name), USER_SHOWN)) : NULL;
	name_drop(r, before);
	if (record->user && record->user != before)
		session_note(&s->base, SESSION_EVENT_IDENTIFIED);
}

void sockjs_note(struct sockjs_session *s, enum session_event_kind kind, unsigned code)
{
	session_note_code(&s->base, kind, code);
}

void sockjs_blame(struct sockjs_session *s, enum session_cause cause)
{
	session_blame(&s->base, cause);
}
