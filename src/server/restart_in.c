/*
 * server/restart_in.c - the new process of a hot restart; see restart.h.
 *
 * Each reactor restores what its share of the old ones had, before its first turn. Until RESTART_GO has come nothing may
 * be said or read on what was handed over, and if it does not come the process ends without having touched anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/restart.h"
#include "server/restart_channel.h"

#define PLACES_MS 10000
#define STATE_MS  90000 /* the old one is to stand still first */
#define GO_MS     15000
#define REACTORS_MOST 1024
#define PLACE_SOCKETS 1024

/* Sockets that listen at one address. */
struct handed_place {
	struct list node;
	char *address;
	unsigned count;
	int fds[PLACE_SOCKETS];
};

/* What an old reactor had. */
struct handed_state {
	char *octets;
	size_t n;
	int *fds;
	size_t fd_count;
	struct snapshot snapshot; /* that is being read */
	bool is_taken; /* its descriptors are the snapshot's */
};

struct restart_in {
	struct sockjs_server *server;
	int fd;
	struct list places;
	struct list extras; /* those of places that have more sockets than we have reactors */
	pthread_barrier_t barrier;
	struct handed_state *states;
	size_t state_count;
	atomic_int err;
	atomic_flag has_why;
	char why[RESTART_TEXT];
};

/* --- life -------------------------------------------------------------------------------------------- */

static void place_close(struct handed_place *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	list_remove(&p->node);
	mem_free(p->address);
	mem_free(p);
}

static void places_close(struct list *places)
{
	struct list *first;

	while ((first = list_first(places)) != NULL)
		place_close(container_of(first, struct handed_place, node));
}

static void states_free(struct restart_in *in)
{
	for (size_t i = 0; i < in->state_count; i++) {
		struct handed_state *state = &in->states[i];

		for (size_t j = 0; !state->is_taken && j < state->fd_count; j++)
			close(state->fds[j]);
		mem_free(state->fds);
		mem_free(state->octets);
	}
	mem_free(in->states);
	in->states = NULL;
	in->state_count = 0;
}

void restart_in_free(struct sockjs_server *server)
{
	struct restart_in *in = server->taking_over;

	if (!in)
		return;
	places_close(&in->places);
	places_close(&in->extras);
	states_free(in);
	pthread_barrier_destroy(&in->barrier);
	if (in->fd >= 0)
		close(in->fd);
	mem_free(in);
	server->taking_over = NULL;
}

/* The first who says why is believed. */
static int fail(struct restart_in *in, int err, const char *why)
{
	if (!atomic_flag_test_and_set(&in->has_why)) {
		snprintf(in->why, sizeof(in->why), "%s", why);
		atomic_store(&in->err, err);
	}
	return err;
}

int restart_in_error(struct sockjs_server *server)
{
	struct restart_in *in = server->taking_over;

	if (!in || atomic_load(&in->err) == 0)
		return 0;
	return server_fail(server, -ECANCELED, "nothing was taken over: %s", in->why);
}

/* --- listening sockets ----------------------------------------------------------------------------------- */

static struct handed_place *find_place(struct list *places, const char *address)
{
	struct list *pos;

	list_foreach (pos, places) {
		struct handed_place *p = container_of(pos, struct handed_place, node);

		if (strcmp(p->address, address) == 0)
			return p;
	}
	return NULL;
}

static struct handed_place *new_place(struct restart_in *in, const char *address)
{
	struct handed_place *p = mem_zalloc(sizeof(*p));

	if (p)
		p->address = mem_strdup(address);
	if (!p || !p->address) {
		mem_free(p);
		return NULL;
	}
	list_append(&in->places, &p->node);
	return p;
}

/* Two may be called alike: "127.0.0.1:0". */
static int add_place(struct restart_in *in, struct restart_message *m)
{
	struct handed_place *p;

	if (m->number == 0 && !new_place(in, m->text))
		return -ENOMEM;
	if (list_empty(&in->places))
		return -EPROTO;
	p = container_of(in->places.prev, struct handed_place, node);
	if (m->fd_count != 1 || p->count == PLACE_SOCKETS || strcmp(p->address, m->text) != 0)
		return -EPROTO;
	p->fds[p->count++] = m->fds[0];
	m->fd_count = 0;
	return 0;
}

/* Nobody but us wakes the file of a unix socket that a service manager has made. */
static atomic_uint inherited_users;

static int describe(struct listen_socket *ls, int fd, const char *address)
{
	int v6_only = 1;
	socklen_t len = sizeof(v6_only);

	ls->fd = fd;
	ls->addr.len = sizeof(ls->addr.sa);
	if (getsockname(fd, (void *)&ls->addr.sa, &ls->addr.len) < 0)
		return -errno;
	ls->is_unix = ls->addr.sa.ss_family == AF_UNIX;
	if (ls->addr.sa.ss_family == AF_INET6 && getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &len) == 0)
		ls->addr.dual_stack = !v6_only;
	if (strncmp(address, "fd:", 3) == 0) {
		ls->users = &inherited_users;
		atomic_fetch_add(ls->users, 1);
	}
	return 0;
}

/* For one more reactor than there were: a socket of its own, or the same. */
static int one_more(struct listen_place *place, unsigned i)
{
	struct listen_socket *first = &place->sockets[0], *ls = &place->sockets[i];

	if (!first->is_unix && !first->users && listen_socket_share(first, ls) == 0)
		return 0;
	*ls = *first;
	ls->fd = fcntl(first->fd, F_DUPFD_CLOEXEC, 3);
	ls->is_shared = first->is_shared = true;
	if (ls->users)
		atomic_fetch_add(ls->users, 1);
	return ls->fd < 0 ? -errno : 0;
}

static bool fill_place(struct handed_place *from, struct listen_place *place, unsigned wanted)
{
	for (unsigned i = 0; i < wanted; i++) {
		bool is_there = i < from->count;
		int err = is_there ? describe(&place->sockets[i], from->fds[i], place->address)
		                   : one_more(place, i);

		if (err < 0)
			return false;
		place->socket_count = i + 1;
		if (is_there)
			from->fds[i] = -1;
	}
	for (unsigned i = 0; i < wanted; i++)
		place->sockets[i].is_shared = place->sockets[i].is_shared ||
		                              place->sockets[i].is_unix || place->sockets[0].is_shared;
	return true;
}

bool restart_take_place(struct sockjs_server *server, struct listen_place *place, unsigned wanted)
{
	struct restart_in *in = server->taking_over;
	struct handed_place *from = in ? find_place(&in->places, place->address) : NULL;

	if (!from || from->count == 0 || !fill_place(from, place, wanted))
		return false;
	list_remove(&from->node);
	list_append(&in->extras, &from->node);
	return true;
}

/* No address of ours is there any more: the file of a unix socket goes with it. */
static void forsake(struct handed_place *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct listen_socket ls = { .fd = p->fds[i] };

		if (ls.fd < 0 || describe(&ls, ls.fd, p->address) < 0)
			continue;
		p->fds[i] = -1;
		listen_socket_close(&ls, true);
	}
}

/* Who waits at a socket that nobody has in this process is let in by us. */
static void empty_extras(struct restart_in *in, struct reactor *r)
{
	struct list *pos;

	list_foreach (pos, &in->extras) {
		struct handed_place *p = container_of(pos, struct handed_place, node);

		for (unsigned i = 0; i < p->count; i++)
			if (p->fds[i] >= 0)
				reactor_accept_all(r, p->address, p->fds[i]);
	}
	list_foreach (pos, &in->places)
		forsake(container_of(pos, struct handed_place, node));
	places_close(&in->extras);
	places_close(&in->places);
}

/* --- state ------------------------------------------------------------------------------------------------ */

static struct handed_state *state_of(struct restart_in *in, uint32_t number)
{
	return number < in->state_count ? &in->states[number] : NULL;
}

static int read_octets(struct handed_state *state, int fd, uint64_t n)
{
	struct stat st;
	size_t at = 0;

	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != n)
		return -EPROTO;
	state->octets = mem_alloc(n ? n : 1);
	if (!state->octets)
		return -ENOMEM;
	while (at < n) {
		ssize_t got = pread(fd, state->octets + at, n - at, (off_t)at);

		if (got <= 0 && errno != EINTR)
			return -EPROTO;
		at += got > 0 ? (size_t)got : 0;
	}
	state->n = at;
	return 0;
}

static int add_reactor(struct restart_in *in, const struct restart_message *m)
{
	struct handed_state *states;

	if (m->number != in->state_count || m->number >= REACTORS_MOST || m->fd_count != 1)
		return -EPROTO;
	states = mem_realloc(in->states, (m->number + 1) * sizeof(*states));
	if (!states)
		return -ENOMEM;
	in->states = states;
	memset(&states[m->number], 0, sizeof(*states));
	in->state_count++;
	return read_octets(&states[m->number], m->fds[0], m->size);
}

static int add_fds(struct restart_in *in, struct restart_message *m)
{
	struct handed_state *state = state_of(in, m->number);
	int *fds;

	if (!state)
		return -EPROTO;
	fds = mem_realloc(state->fds, (state->fd_count + m->fd_count) * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	state->fds = fds;
	memcpy(fds + state->fd_count, m->fds, m->fd_count * sizeof(*fds));
	state->fd_count += m->fd_count;
	m->fd_count = 0;
	return 0;
}

static int take_message(struct restart_in *in, struct restart_message *m)
{
	switch (m->kind) {
	case RESTART_REACTOR:
		return add_reactor(in, m);
	case RESTART_FDS:
		return add_fds(in, m);
	case RESTART_STATE_END:
		return 0;
	case RESTART_ABORT:
		return -ECANCELED;
	default:
		return -EPROTO;
	}
}

static void receive_state(struct restart_in *in)
{
	struct restart_message m;
	int err;

	restart_message_init(&m, RESTART_READY);
	err = restart_send(in->fd, &m, GO_MS);
	do {
		if (err == 0)
			err = restart_receive(in->fd, &m, STATE_MS);
		if (err < 0)
			break;
		err = take_message(in, &m);
		restart_message_close(&m);
	} while (err == 0 && m.kind != RESTART_STATE_END);
	if (err < 0)
		fail(in, err, err == -ECANCELED ? m.text : "the old process does not say what it has");
}

static void check_read(struct restart_in *in, const struct snapshot *s)
{
	int err = snapshot_error(s);
	char why[RESTART_TEXT];

	if (err == 0)
		return;
	snprintf(why, sizeof(why), "what the old process has is not understood: %s (%s)", strerror(-err), s->where);
	fail(in, err, why);
}

static void restore_applications(struct restart_in *in, struct reactor *r, struct handed_state *state)
{
	struct snapshot *s = &state->snapshot;
	int err = snapshot_init_read(s, (struct bytes){ state->octets, state->n }, state->fds, state->fd_count);

	state->is_taken = true;
	s->quotas = r->server->visitors;
	if (err < 0)
		snapshot_fail(s, err);
	else
		reactor_applications_snapshot(r, s);
	check_read(in, s);
}

/* If all went well before. */
static void restore_rest(struct restart_in *in, struct reactor *r, struct handed_state *state)
{
	if (!state->is_taken)
		return;
	if (atomic_load(&in->err) == 0) {
		reactor_snapshot(r, &state->snapshot);
		check_read(in, &state->snapshot);
	}
	snapshot_fini(&state->snapshot);
}

/* Those that fall to this reactor. */
static void restore_all(struct restart_in *in, struct reactor *r,
    void (*restore)(struct restart_in *in, struct reactor *r, struct handed_state *state))
{
	for (size_t i = r->index; i < in->state_count; i += r->server->reactor_count)
		restore(in, r, &in->states[i]);
}

/* --- the word that decides ----------------------------------------------------------------------------------- */

/* Its end without a word leaves nobody else who could go on. */
static void await_go(struct restart_in *in)
{
	struct restart_message m;
	int err;

	restart_message_init(&m, RESTART_TAKEN);
	m.number = (uint32_t)server_sessions(in->server);
	err = restart_send(in->fd, &m, GO_MS);
	if (err == 0)
		err = restart_receive(in->fd, &m, GO_MS);
	if (err == -EPIPE)
		return;
	if (err == 0)
		restart_message_close(&m);
	if (err < 0 || m.kind != RESTART_GO)
		fail(in, -ECANCELED, err == 0 ? m.text : "the old process does not say that it lets go");
}

static void say_failed(struct restart_in *in)
{
	struct restart_message m;

	restart_message_init(&m, RESTART_FAILED);
	snprintf(m.text, sizeof(m.text), "The new process cannot take over: %.300s.", in->why);
	restart_send(in->fd, &m, 0);
}

static void decide(struct restart_in *in, struct reactor *r)
{
	if (atomic_load(&in->err) == 0)
		await_go(in);
	if (atomic_load(&in->err) < 0) {
		say_failed(in);
		return;
	}
	empty_extras(in, r);
	states_free(in);
	close(in->fd);
	in->fd = -1;
	log_info("sessions were taken over", LOG_INT("sessions", server_sessions(in->server)));
}

int restart_take(struct reactor *r)
{
	struct restart_in *in = r->server->taking_over;

	if (!in)
		return 0;
	pthread_barrier_wait(&in->barrier);
	if (r->index == 0)
		receive_state(in);
	pthread_barrier_wait(&in->barrier);
	if (atomic_load(&in->err) == 0)
		restore_all(in, r, restore_applications);
	pthread_barrier_wait(&in->barrier);
	restore_all(in, r, restore_rest);
	pthread_barrier_wait(&in->barrier);
	if (r->index == 0)
		decide(in, r);
	pthread_barrier_wait(&in->barrier);
	return atomic_load(&in->err);
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static int receive_places(struct restart_in *in)
{
	struct restart_message m;
	int err;

	for (;;) {
		err = restart_receive(in->fd, &m, PLACES_MS);
		if (err < 0)
			return err;
		if (m.kind == RESTART_PLACES_END)
			break;
		err = m.kind == RESTART_PLACE ? add_place(in, &m) : -EPROTO;
		restart_message_close(&m);
		if (err < 0)
			return err;
	}
	restart_message_close(&m);
	return 0;
}

int sockjs_server_take_over(struct sockjs_server *server, int fd)
{
	struct restart_in *in;
	int err;

	if (server->started || server->taking_over)
		return server_fail(server, -EBUSY, "it is too late to take over");
	in = mem_zalloc(sizeof(*in));
	if (!in)
		return server_fail(server, -ENOMEM, "out of memory");
	in->server = server;
	in->fd = fd;
	list_init(&in->places);
	list_init(&in->extras);
	atomic_flag_clear(&in->has_why);
	pthread_barrier_init(&in->barrier, NULL, server->reactor_count);
	server->taking_over = in;
	loop_share_descriptors(); /* the old process has them until it ends */
	err = receive_places(in);
	if (err < 0)
		restart_in_free(server);
	return err < 0 ? server_fail(server, err, "nobody hands over: %s", strerror(-err)) : 0;
}

bool sockjs_server_is_taking_over(const struct sockjs_server *server)
{
	return server->taking_over != NULL && server->taking_over->fd >= 0;
}
