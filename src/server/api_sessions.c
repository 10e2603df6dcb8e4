/*
 * server/api_sessions.c - commands about sessions, whatever their application: send, broadcast,
 * disconnect, session; and the table of all commands that are the server's own.
 *
 * Whose session a number is no reactor knows of another's, so each is asked. A broadcast goes the
 * way of a message to a group: encoded once for each form, and in one order for all who get it.
 */
#include <errno.h>

#include "server/api.h"
#include "server/session_view.h"
#include "session/session_record.h"

#define COST_LOOK 10 /* nanoseconds, of each session that a broadcast passes by */

enum { NO_SUCH_SESSION = 1 };

/* --- one session -------------------------------------------------------------- */

typedef int (*session_fn)(struct sockjs_session *s, struct sockjs_command *c);

struct session_job {
	struct sockjs_command *command;
	session_fn fn;
};

static struct sockjs_session *session_here(uint64_t id)
{
	struct session *s = session_ids_find(&reactor_current()->session_ids, id);

	return s ? container_of(s, struct sockjs_session, base) : NULL;
}

static void ask_reactor(void *arg)
{
	const struct session_job *job = arg;
	struct sockjs_session *s = session_here(job->command->session);

	if (s)
		atomic_store(&job->command->result, job->fn(s, job->command));
}

static void answer_well(struct sockjs_command *c)
{
	json_t *found = c->found;

	c->found = NULL;
	command_answer(
	    c, found ? found : json_pack("{s:i}", c->message ? "received" : "disconnected", 1));
}

/* What sockjs_send() and the like have said. */
static void answer_for_session(void *arg)
{
	struct sockjs_command *c = ((const struct session_job *)arg)->command;

	switch (atomic_load(&c->result)) {
	case 0:
		answer_well(c);
		break;
	case -EMSGSIZE:
		sockjs_command_refuse(c, 413, "too_large", "message",
		    "The message is larger than the session's send_buffer_bytes.");
		break;
	case -ENOBUFS:
		sockjs_command_refuse(c, 409, "too_slow", "session",
		    "The client reads too slowly; its session is being closed.");
		break;
	case -ENOMEM:
		command_no_memory(c);
		break;
	default:
		sockjs_command_refuse(c, 404, "no_session", "session", "There is no such session.");
	}
}

static bool take_session(struct sockjs_command *c)
{
	int64_t id = 0;

	if (!command_integer(c, "session", 1, INT64_MAX, &id))
		return false;
	if (id == 0)
		command_refuse_argument(c, "session", "is missing; it is a number as in the log");
	c->session = (uint64_t)id;
	return id != 0;
}

static void ask_all(struct sockjs_command *c, session_fn fn)
{
	struct session_job job = { c, fn };

	atomic_store(&c->result, NO_SUCH_SESSION);
	if (sockjs_reactor_spread(
	        c->api->server, 0, NULL, ask_reactor, answer_for_session, &job, sizeof(job)) < 0)
		command_no_memory(c);
}

/* --- send ------------------------------------------------------------------------ */

static bool take_message(struct sockjs_command *c, bool for_many)
{
	const json_t *value = json_object_get(c->arguments, "message");
	const char *text;

	if (!command_string(c, "message", true, &text))
		return false;
	if (message_from_app(&c->message, text, json_string_length(value), for_many) == 0)
		return true;
	command_no_memory(c);
	return false;
}

static int send_here(struct sockjs_session *s, struct sockjs_command *c)
{
	int err = session_send(&s->base, c->message);

	return err > 0 ? 0 : err;
}

static void run_send(struct sockjs_command *c)
{
	static const char *const known[] = { "session", "message", NULL };

	if (command_has_only(c, known) && take_session(c) && take_message(c, true))
		ask_all(c, send_here);
}

/* --- broadcast ---------------------------------------------------------------------- */

/* Who is open for the sake of its client alone, while somebody decides about it, hears nothing. */
static bool is_in(const struct sockjs_session *s)
{
	return session_is_open(&s->base) && s->base.opened && !(s->extra && s->extra->is_outside);
}

static void broadcast_here(void *arg)
{
	struct sockjs_command *c = *(struct sockjs_command **)arg;
	struct reactor *r = reactor_current();
	size_t count = 0, looks = 0;
	struct list *pos;

	list_foreach (pos, &r->base.sessions.sessions) {
		struct session *base = container_of(pos, struct session, node);
		struct sockjs_session *s = container_of(base, struct sockjs_session, base);

		looks++;
		if (s->endpoint != c->endpoint || !is_in(s))
			continue;
		send_accepted(s, c->message);
		count++;
	}
	sockjs_spend(looks * COST_LOOK);
	atomic_fetch_add(&c->count_of, count);
}

static void broadcast_done(void *arg)
{
	struct sockjs_command *c = *(struct sockjs_command **)arg;

	command_answer(c, json_pack("{s:I}", "received", (json_int_t)atomic_load(&c->count_of)));
}

static void run_broadcast(struct sockjs_command *c)
{
	static const char *const known[] = { "message", NULL };
	const char *prefix;

	if (!command_has_only(c, known) || !command_string(c, "endpoint", true, &prefix))
		return;
	if (!c->endpoint)
		sockjs_command_refuse(
		    c, 404, "no_endpoint", "endpoint", "There is no such endpoint.");
	else if (take_message(c, true) && sockjs_reactor_spread(c->api->server, 0, NULL,
	                                      broadcast_here, broadcast_done, &c, sizeof(c)) < 0)
		command_no_memory(c);
}

/* --- disconnect ----------------------------------------------------------------------- */

static int close_here(struct sockjs_session *s, struct sockjs_command *c)
{
	if (!session_is_open(&s->base))
		return NO_SUCH_SESSION;
	session_blame(&s->base, SESSION_CAUSE_OPERATOR);
	sockjs_close(s, (unsigned)c->code, c->reason);
	return 0;
}

static void run_disconnect(struct sockjs_command *c)
{
	static const char *const known[] = { "session", "code", "reason", NULL };

	c->code = SOCKJS_CLOSE_NORMAL;
	if (command_has_only(c, known) && command_close(c, &c->code, &c->reason) && take_session(c))
		ask_all(c, close_here);
}

bool api_is_for_application(const struct sockjs_command *c)
{
	return strcmp(c->name, "disconnect") == 0 && json_object_get(c->arguments, "user") &&
	       !json_object_get(c->arguments, "session");
}

/* --- one in detail ------------------------------------------------------------------------ */

/* In its reactor; the answer is made by whoever is the last to be asked. */
static int describe_here(struct sockjs_session *s, struct sockjs_command *c)
{
	c->found = session_view_details(s);
	return c->found ? 0 : -ENOMEM;
}

static void run_session(struct sockjs_command *c)
{
	static const char *const known[] = { "session", NULL };

	if (command_has_only(c, known) && take_session(c))
		ask_all(c, describe_here);
}

/* --- the table --------------------------------------------------------------------------- */

/* X(name, function) */
#define COMMANDS(X)                                                                                \
	X(send, run_send)                                                                          \
	X(broadcast, run_broadcast)                                                                \
	X(disconnect, run_disconnect)                                                              \
	X(session, run_session)                                                                    \
	X(sessions, api_list_sessions)                                                             \
	X(gateways, api_list_gateways)                                                             \
	X(limited, api_list_limited)                                                               \
	X(networks, api_list_networks)                                                             \
	X(forget_networks, api_forget_networks)                                                    \
	X(endpoints, api_list_endpoints)                                                           \
	X(config, api_show_config)                                                                 \
	X(log, api_set_log)                                                                        \
	X(reload, api_reload)                                                                      \
	X(restart, api_restart)                                                                    \
	X(drain, api_drain)

const char *const api_own_names[] = {
#define X(name, fn) #name,
	COMMANDS(X)
#undef X
	    NULL,
};

api_command_fn api_own_command(const char *name)
{
	static const api_command_fn fns[] = {
#define X(name, fn) fn,
		COMMANDS(X)
#undef X
	};

	for (size_t i = 0; api_own_names[i]; i++)
		if (strcmp(api_own_names[i], name) == 0)
			return fns[i];
	return NULL;
}
