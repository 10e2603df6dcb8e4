/*
 * server/restart_out.c - the old process of a hot restart; see restart.h.
 *
 * Until RESTART_GO is said nothing has happened: whatever goes wrong before, the reactors go on with their next turn.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/tls_carrier.h"
#include "server/internal.h"
#include "server/restart.h"
#include "server/restart_channel.h"
#include "server/turn.h"

#define READY_MS  60000 /* the new process reads its configuration */
#define TAKEN_MS  10000 /* everybody waits */
#define SEND_MS   5000
#define ROUNDS    10000 /* until no mail is under way */
#define CARRY_TICK_MS 100

struct restart_out {
	struct sockjs_server *server;
	int fd;
	struct watch watch;
	struct timer patience;
	void (*done)(void *arg, int err, const char *why);
	void *arg;
	atomic_uint moved;   /* by whom there was any mail in this round */
	pthread_barrier_t barrier;
	struct snapshot *snapshots; /* of each reactor */
	struct list *carriers;
	int verdict;         /* 0: the other goes on */
	uint64_t began;      /* the standstill */
	uint32_t taken;      /* sessions */
	char why[RESTART_TEXT];
};

/* --- the end of it ----------------------------------------------------------------------------------- */

static void out_free(struct restart_out *out)
{
	pthread_barrier_destroy(&out->barrier);
	close(out->fd);
	mem_free(out->snapshots);
	mem_free(out->carriers);
	mem_free(out);
}

static int say_why(struct restart_out *out, int err, const char *why)
{
	snprintf(out->why, sizeof(out->why), "%s", why);
	return err;
}

/* The server goes on as it is. */
static void give_up(struct restart_out *out, int err)
{
	struct sockjs_server *server = out->server;
	struct loop *loop = server->reactors[0]->loop;
	struct restart_message m;

	restart_message_init(&m, RESTART_ABORT);
	snprintf(m.text, sizeof(m.text), "%s", out->why);
	restart_send(out->fd, &m, 0);
	loop_unwatch(loop, &out->watch);
	timer_stop(loop_timers(loop), &out->patience);
	server->handing_over = NULL;
	out->done(out->arg, err, out->why);
	out_free(out);
}

/* --- the standstill ------------------------------------------------------------------------------------ */

bool restart_stops(const struct sockjs_server *server)
{
	return atomic_load_explicit(&server->stands_still, memory_order_acquire);
}

static void meet(struct restart_out *out)
{
	pthread_barrier_wait(&out->barrier);
}

/* Mail calls forth mail, until there is none. */
static void settle(struct restart_out *out, struct reactor *r)
{
	unsigned moved = 1;

	for (unsigned i = 0; i < ROUNDS && moved > 0; i++) {
		meet(out);
		if (r->index == 0)
			atomic_store(&out->moved, 0);
		meet(out);
		if (loop_settle(r->loop))
			atomic_fetch_add(&out->moved, 1);
		meet(out);
		moved = atomic_load(&out->moved);
	}
	if (moved > 0 && r->index == 0)
		out->verdict = say_why(out, -EBUSY, "The reactors do not come to rest.");
}

/* --- what is sent -------------------------------------------------------------------------------------- */

static int send_octets(struct restart_out *out, unsigned index)
{
	struct snapshot *s = &out->snapshots[index];
	const char *p = buf_data(&s->out);
	size_t n = buf_len(&s->out), at = 0;
	struct restart_message m;
	int err = 0;

	restart_message_init(&m, RESTART_REACTOR);
	m.number = index;
	m.size = n;
	m.fds[0] = memfd_create("sockjsd-state", MFD_CLOEXEC);
	if (m.fds[0] < 0)
		return -errno;
	m.fd_count = 1;
	while (err == 0 && at < n) {
		ssize_t written = write(m.fds[0], p + at, n - at);

		if (written > 0)
			at += (size_t)written;
		else if (errno != EINTR)
			err = -errno;
	}
	if (err == 0)
		err = restart_send(out->fd, &m, SEND_MS);
	close(m.fds[0]);
	return err;
}

static int send_fds(struct restart_out *out, unsigned index)
{
	const struct snapshot *s = &out->snapshots[index];
	struct restart_message m;
	int err = 0;

	restart_message_init(&m, RESTART_FDS);
	m.number = index;
	for (size_t at = 0; at < s->fd_count && err == 0; at += m.fd_count) {
		size_t left = s->fd_count - at;

		m.fd_count = left < RESTART_FDS_MOST ? (unsigned)left : RESTART_FDS_MOST;
		memcpy(m.fds, s->fds + at, m.fd_count * sizeof(int));
		err = restart_send(out->fd, &m, SEND_MS);
	}
	return err;
}

static int send_state(struct restart_out *out)
{
	struct restart_message m;
	int err = 0;

	for (unsigned i = 0; i < out->server->reactor_count && err == 0; i++) {
		err = send_octets(out, i);
		if (err == 0)
			err = send_fds(out, i);
	}
	restart_message_init(&m, RESTART_STATE_END);
	if (err == 0)
		err = restart_send(out->fd, &m, SEND_MS);
	if (err < 0)
		say_why(out, err, "The new process cannot be told the state of this one.");
	return err;
}

static int hear_verdict(struct restart_out *out)
{
	struct restart_message m;
	int err = restart_receive(out->fd, &m, TAKEN_MS);

	if (err == -ETIMEDOUT)
		return say_why(out, err, "The new process takes too long.");
	if (err < 0)
		return say_why(out, err, "The new process has ended.");
	restart_message_close(&m);
	if (m.kind != RESTART_TAKEN)
		return say_why(out, -EPROTO, m.kind == RESTART_FAILED ? m.text : "The new process says something odd.");
	out->taken = m.number;
	restart_message_init(&m, RESTART_GO);
	err = restart_send(out->fd, &m, 0);
	return err < 0 ? say_why(out, err, "The new process has ended.") : 0;
}

/* A layer has found something that cannot be handed over. */
static int find_error(struct restart_out *out)
{
	char why[RESTART_TEXT];

	for (unsigned i = 0; i < out->server->reactor_count; i++) {
		const struct snapshot *s = &out->snapshots[i];

		if (!snapshot_error(s))
			continue;
		snprintf(why, sizeof(why), "The state cannot be written down: %s (%s).",
		    strerror(-snapshot_error(s)), s->where);
		return say_why(out, snapshot_error(s), why);
	}
	return 0;
}

/* In the first thread, while all others wait. */
static void exchange(struct restart_out *out)
{
	if (out->verdict == 0)
		out->verdict = find_error(out);
	if (out->verdict == 0)
		out->verdict = send_state(out);
	if (out->verdict == 0)
		out->verdict = hear_verdict(out);
}

/* --- what becomes of it ----------------------------------------------------------------------------------- */

static void close_all(const struct snapshot *s)
{
	for (size_t i = 0; i < s->fd_count; i++)
		close(s->fds[i]);
}

static void let_go(struct restart_out *out, struct reactor *r)
{
	struct snapshot *s = &out->snapshots[r->index];

	reactor_forget(r);
	tls_carriers_take(&out->carriers[r->index]);
	close_all(s);
	snapshot_fini(s);
}

static void go_on(struct restart_out *out, struct reactor *r)
{
	tls_carriers_withdraw(&out->carriers[r->index]);
	snapshot_fini(&out->snapshots[r->index]);
}

static void tell_done(struct restart_out *out)
{
	log_info("sessions were handed over", LOG_INT("sessions", out->taken),
	    LOG_INT("milliseconds", clock_now() - out->began));
	out->done(out->arg, 0, "");
	loop_deliver(out->server->reactors[0]->loop); /* who has asked for it is answered */
}

bool restart_stand_still(struct reactor *r)
{
	struct restart_out *out = r->server->handing_over;
	struct snapshot *s = &out->snapshots[r->index];
	bool is_over;

	if (r->index == 0)
		out->began = clock_now();
	settle(out, r);
	snapshot_init_write(s);
	s->carriers = &out->carriers[r->index];
	reactor_applications_snapshot(r, s);
	reactor_snapshot(r, s);
	meet(out);
	if (r->index == 0)
		exchange(out);
	meet(out);
	is_over = out->verdict == 0;
	if (is_over && r->index == 0)
		tell_done(out);
	(is_over ? let_go : go_on)(out, r);
	if (!is_over && r->index == 0)
		atomic_store(&r->server->stands_still, false);
	meet(out);
	if (!is_over && r->index == 0)
		give_up(out, out->verdict); /* nobody else looks at it any more */
	return is_over;
}

/* --- what is carried on ---------------------------------------------------------------------------------- */

static bool is_stopped(const struct sockjs_server *server, unsigned stops)
{
	return atomic_load(&server->stops) > stops;
}

/* The loop of its own has nothing of the reactors'. Without memory those by TLS are cut. */
void restart_carry(struct sockjs_server *server)
{
	struct restart_out *out = server->handing_over;
	uint64_t drain = (uint64_t)server->config->options.server.restart_drain_ms,
	         until = clock_now() + drain;
	unsigned stops = atomic_load(&server->stops);
	struct list carriers;
	struct loop *loop = NULL;

	list_init(&carriers);
	for (unsigned i = 0; i < server->reactor_count; i++)
		list_splice(&carriers, &out->carriers[i]);
	if (!list_empty(&carriers) && loop_new(&loop) == 0) {
		loop_enter(loop);
		tls_carriers_begin(&carriers, loop);
		while (!list_empty(&carriers) && !is_stopped(server, stops) &&
		       (drain == 0 || clock_now() < until))
			if (loop_turn(loop, CARRY_TICK_MS) < 0)
				break;
		tls_carriers_end(&carriers);
		loop_turn(loop, 0);
	}
	loop_free(loop);
	close(out->fd);
}

/* --- the beginning --------------------------------------------------------------------------------------- */

static void stop_all(struct restart_out *out)
{
	struct sockjs_server *server = out->server;

	atomic_store(&server->stands_still, true);
	for (unsigned i = 0; i < server->reactor_count; i++)
		loop_stop(server->reactors[i]->loop);
}

/* Before it is ready the new process may only say that it cannot, or end. */
static void on_word(struct watch *w, uint32_t events)
{
	struct restart_out *out = container_of(w, struct restart_out, watch);
	struct restart_message m;
	int err = restart_receive(out->fd, &m, 0);

	(void)events;
	if (err == -ETIMEDOUT)
		return;
	if (err == 0)
		restart_message_close(&m);
	if (err == 0 && m.kind == RESTART_READY) {
		loop_unwatch(out->server->reactors[0]->loop, w);
		timer_stop(loop_timers(out->server->reactors[0]->loop), &out->patience);
		stop_all(out);
		return;
	}
	if (err == 0 && m.kind == RESTART_FAILED)
		err = say_why(out, -ECANCELED, m.text);
	else
		err = say_why(out, err < 0 ? err : -EPROTO, "The new process has ended before it was ready.");
	give_up(out, err);
}

static void on_impatient(struct timer *t)
{
	struct restart_out *out = container_of(t, struct restart_out, patience);

	give_up(out, say_why(out, -ETIMEDOUT, "The new process does not become ready."));
}

void restart_cancel(struct sockjs_server *server)
{
	struct restart_out *out = server->handing_over;

	if (out && !restart_stops(server))
		give_up(out, say_why(out, -ECANCELED, "The server is about to stop."));
}

static int offer_place(struct restart_out *out, const struct listen_place *place)
{
	struct restart_message m;
	int err = 0;

	restart_message_init(&m, RESTART_PLACE);
	if (snprintf(m.text, sizeof(m.text), "%s", place->address) >= (int)sizeof(m.text))
		return -ENAMETOOLONG;
	for (unsigned i = 0; i < place->socket_count && err == 0; i++) {
		m.fds[0] = place->sockets[i].fd;
		m.fd_count = 1;
		if (m.fds[0] < 0)
			continue;
		err = restart_send(out->fd, &m, SEND_MS);
		m.number++;
	}
	return err;
}

static int offer_places(struct restart_out *out)
{
	const struct server_config *c = config_here(out->server);
	struct restart_message m;
	int err = 0;

	for (size_t i = 0; i < c->listener_count && err == 0; i++)
		err = offer_place(out, c->listeners[i]->place);
	restart_message_init(&m, RESTART_PLACES_END);
	snprintf(m.text, sizeof(m.text), "%s", SOCKJS_VERSION);
	if (err == 0)
		err = restart_send(out->fd, &m, SEND_MS);
	if (err < 0)
		say_why(out, err, "The new process cannot be given the listening sockets.");
	return err;
}

/* In the first reactor. */
static void begin(void *arg)
{
	struct restart_out *out = *(struct restart_out **)arg;
	struct sockjs_server *server = out->server;
	struct loop *loop = server->reactors[0]->loop;
	int err;

	if (server->handing_over || server_is_stopping(server)) {
		out->done(out->arg, -EBUSY,
		    server->handing_over ? "Another restart is under way." : "The server is about to stop.");
		out_free(out);
		return;
	}
	server->handing_over = out;
	timer_start(loop_timers(loop), &out->patience, READY_MS);
	err = offer_places(out);
	if (err == 0 && (err = loop_watch(loop, &out->watch, EPOLLIN)) < 0)
		say_why(out, err, "The new process cannot be listened to.");
	if (err < 0)
		give_up(out, err);
}

static struct restart_out *out_new(struct sockjs_server *server)
{
	struct restart_out *out = mem_zalloc(sizeof(*out));
	unsigned n = server->reactor_count;

	if (!out)
		return NULL;
	out->server = server;
	out->snapshots = mem_zalloc(n * sizeof(*out->snapshots));
	out->carriers = mem_zalloc(n * sizeof(*out->carriers));
	if (!out->snapshots || !out->carriers) {
		mem_free(out->snapshots);
		mem_free(out->carriers);
		mem_free(out);
		return NULL;
	}
	for (unsigned i = 0; i < n; i++)
		list_init(&out->carriers[i]);
	pthread_barrier_init(&out->barrier, NULL, n);
	timer_init(&out->patience, on_impatient);
	return out;
}

int sockjs_server_hand_over(struct sockjs_server *server, int fd,
    void (*done)(void *arg, int err, const char *why), void *arg)
{
	struct restart_out *out;
	int err;

	if (!server->started)
		return -EPIPE;
	loop_share_descriptors();
	out = out_new(server);
	if (!out)
		return -ENOMEM;
	out->fd = fd;
	out->watch = (struct watch){ .fd = fd, .fn = on_word };
	out->done = done;
	out->arg = arg;
	err = sockjs_reactor_call(server, 0, begin, NULL, &out, sizeof(struct restart_out *));
	if (err < 0) {
		out->fd = -1;
		out_free(out);
	}
	return err;
}

bool restart_is_over(const struct sockjs_server *server)
{
	return restart_stops(server) && server->handing_over->verdict == 0;
}
