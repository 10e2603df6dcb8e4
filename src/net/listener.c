/*
 * net/listener.c - sockets that listen, and the accepting of connections in a
 * reactor; see listener.h.
 *
 * Owns: nothing but itself; the listening descriptor stays with its
 * struct listen_socket, an accepted one goes to the callback.
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/timer.h"

enum {
	BACKLOG = 65535,  /* the kernel lowers it to net.core.somaxconn, which is 4096 by default */
	LAST_ACCEPTS = 512,
	ACCEPTS_MAX = 64, /* in one turn: those who are here must not wait for a flood of others */
	STEP_BACK_MS = 100,
	LOG_EVERY_MS = 1000,
	KEEP_INTERVAL_S = 10,
	KEEP_PROBES = 3,
};

/* --- sockets ------------------------------------------------------------ */

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* The TCP options are inherited by accepted sockets: fewer system calls for each. TCP_USER_TIMEOUT
 * is none of them: it would also end peers that read slowly, for Linux does not take it for
 * progress when their window opens by less than what stands first in its queue. Who has such a
 * connection looks at stream_progress() now and then. */
static int set_tcp_options(int fd, const struct listen_addr *addr)
{
	int err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (err == 0)
		err = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (err == 0 && addr->sa.ss_family == AF_INET6)
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !addr->dual_stack);
	return err;
}

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int bind_and_listen(int fd, const struct listen_addr *addr)
{
	if (bind(fd, (const void *)&addr->sa, addr->len) < 0)
		return -errno;
	return listen(fd, BACKLOG) < 0 ? -errno : 0;
}

/* Where the kernel has no IPv6, "all addresses" is all of IPv4. */
static void all_of_ipv4(struct listen_addr *addr)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in = { .sin_family = AF_INET };

	memcpy(&in6, &addr->sa, sizeof(in6));
	in.sin_port = in6.sin6_port;
	memset(addr, 0, sizeof(*addr));
	memcpy(&addr->sa, &in, sizeof(in));
	addr->len = sizeof(in);
}

/* The address is claimed without SO_REUSEPORT, for with it a second process of the same user would
 * share the port unnoticed and take half of the connections. Only a socket that listens already is
 * opened to those that listen_socket_share() adds. */
static int open_tcp(struct listen_socket *ls)
{
	int err;

	ls->fd = new_socket(ls->addr.sa.ss_family);
	if (ls->fd == -EAFNOSUPPORT && ls->addr.dual_stack) {
		all_of_ipv4(&ls->addr);
		ls->fd = new_socket(AF_INET);
	}
	if (ls->fd < 0)
		return ls->fd;
	if ((err = set_tcp_options(ls->fd, &ls->addr)) < 0 ||
	    (err = bind_and_listen(ls->fd, &ls->addr)) < 0 ||
	    (err = set_option(ls->fd, SOL_SOCKET, SO_REUSEPORT, 1)) < 0)
		return err;
	ls->addr.len = sizeof(ls->addr.sa);
	return getsockname(ls->fd, (void *)&ls->addr.sa, &ls->addr.len) < 0 ? -errno : 0;
}

/* Whether the path is a socket on which nobody answers: what a crash leaves behind. */
static bool is_stale(const struct listen_addr *addr)
{
	const struct sockaddr_un *un = (const void *)&addr->sa;
	struct stat st;
	bool refused;
	int fd;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = new_socket(AF_UNIX);
	if (fd < 0)
		return false;
	refused = connect(fd, (const void *)un, addr->len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* The file is born with the mode of the socket, less what the umask takes away: so there is no moment in
 * which it lets in more than it should. The umask is left alone: it is that of all threads. */
static int bind_unix(int fd, const struct listen_addr *addr, unsigned mode)
{
	const struct sockaddr_un *un = (const void *)&addr->sa;

	if (mode && fchmod(fd, (mode_t)mode) < 0)
		return -errno;
	if (bind(fd, (const void *)&addr->sa, addr->len) < 0)
		return -errno;
	return mode && chmod(un->sun_path, (mode_t)mode) < 0 ? -errno : 0;
}

static int open_unix(struct listen_socket *ls, unsigned mode)
{
	const struct sockaddr_un *un = (const void *)&ls->addr.sa;
	int err;

	ls->fd = new_socket(AF_UNIX);
	if (ls->fd < 0)
		return ls->fd;
	err = bind_unix(ls->fd, &ls->addr, mode);
	if (err == -EADDRINUSE && is_stale(&ls->addr)) {
		unlink(un->sun_path);
		err = bind_unix(ls->fd, &ls->addr, mode);
	}
	if (err < 0)
		return err;
	return listen(ls->fd, BACKLOG) < 0 ? -errno : 0;
}

int listen_socket_open(struct listen_socket *out, const struct listen_addr *addr, unsigned mode,
    char *why, size_t why_size)
{
	struct listen_socket ls = { .fd = -1, .addr = *addr };
	int err;

	ls.is_unix = ls.is_shared = addr->sa.ss_family == AF_UNIX;
	err = ls.is_unix ? open_unix(&ls, mode) : open_tcp(&ls);
	if (err < 0) {
		if (ls.fd >= 0)
			close(ls.fd);
		if (why_size > 0)
			snprintf(why, why_size, "cannot listen: %s", strerror(-err));
		return err;
	}
	*out = ls;
	return 0;
}

static int share_tcp(const struct listen_socket *ls)
{
	int fd = new_socket(ls->addr.sa.ss_family);
	int err;

	if (fd < 0)
		return fd;
	if ((err = set_tcp_options(fd, &ls->addr)) < 0 ||
	    (err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) < 0 ||
	    (err = bind_and_listen(fd, &ls->addr)) < 0) {
		close(fd);
		return err;
	}
	return fd;
}

int listen_socket_share(const struct listen_socket *ls, struct listen_socket *out)
{
	int fd;

	if (ls->is_unix) {
		fd = fcntl(ls->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			fd = -errno;
	} else {
		fd = share_tcp(ls);
	}
	if (fd < 0)
		return fd;
	*out = *ls;
	out->fd = fd;
	return 0;
}

/* Inherited by accepted sockets. Without it they only last longer. */
void listen_socket_keep_alive(const struct listen_socket *ls, unsigned seconds)
{
	if (ls->is_unix)
		return;
	set_option(ls->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(ls->fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)seconds);
	set_option(ls->fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_option(ls->fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
}

void listen_socket_close(struct listen_socket *ls, bool unlink_path)
{
	const struct sockaddr_un *un = (const void *)&ls->addr.sa;

	if (ls->fd < 0)
		return;
	if (ls->is_unix && unlink_path && !ls->users)
		unlink(un->sun_path);
	close(ls->fd);
	ls->fd = -1;
	if (ls->users)
		atomic_fetch_sub(ls->users, 1);
}

void listen_unix_print(const struct sockaddr_un *un, socklen_t len, char *text, size_t size)
{
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	if (n > 1 && un->sun_path[0] == '\0')
		snprintf(text, size, "unix:@%.*s", (int)n - 1, un->sun_path + 1);
	else
		snprintf(text, size, "unix:%.*s", (int)strnlen(un->sun_path, n), un->sun_path);
}

/* --- trying ------------------------------------------------------------- */

static int complain(int err, char *why, size_t why_size, const char *what)
{
	snprintf(why, why_size, "%s: %s", what, strerror(-err));
	return err;
}

static int try_unix(const struct listen_addr *addr, char *why, size_t why_size)
{
	struct sockaddr_un un;
	struct stat st;
	char *slash;

	memcpy(&un, &addr->sa, sizeof(un));
	if (lstat(un.sun_path, &st) == 0) {
		if (S_ISSOCK(st.st_mode))
			return 0;
		snprintf(why, why_size, "this is something else than a socket");
		return -EINVAL;
	}
	slash = strrchr(un.sun_path, '/');
	if (slash)
		slash[slash == un.sun_path] = '\0';
	if (slash && stat(un.sun_path, &st) < 0)
		return complain(-errno, why, why_size, "the directory of the socket");
	return 0;
}

/* With a port of its own: the one that was asked for may be taken by who runs already. */
static int try_tcp(const struct listen_addr *addr, char *why, size_t why_size)
{
	struct addr any_port = addr_from_sockaddr((const void *)&addr->sa);
	struct listen_addr here = { 0 };
	int fd = new_socket(addr->sa.ss_family), err = fd < 0 ? fd : 0;

	if (fd == -EAFNOSUPPORT && addr->dual_stack)
		return 0; /* it will be all of IPv4 */
	any_port.port = 0;
	here.len = addr_to_sockaddr(&any_port, &here.sa);
	if (fd >= 0) {
		if (bind(fd, (const void *)&here.sa, here.len) < 0)
			err = -errno;
		close(fd);
	}
	return err < 0 ? complain(err, why, why_size, "cannot listen") : 0;
}

int listen_addr_try(const struct listen_addr *addr, char *why, size_t why_size)
{
	if (addr->sa.ss_family == AF_UNSPEC)
		return 0; /* who inherits it finds out */
	return addr->sa.ss_family == AF_UNIX ? try_unix(addr, why, why_size)
	                                     : try_tcp(addr, why, why_size);
}

/* --- accepting ---------------------------------------------------------- */

struct listener {
	struct watch watch;
	struct loop *loop;
	struct timer step_back; /* runs while descriptors are short */
	bool paused;
	bool shared; /* one socket in several epolls: wake one of them */
	uint64_t logged_at;
	accept_fn fn;
	void *arg;
	struct deferred deferred;
};

static int start_watching(struct listener *l)
{
	return loop_watch(l->loop, &l->watch, l->shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
}

static void step_back(struct listener *l, int err)
{
	uint64_t now = loop_now(l->loop);

	loop_unwatch(l->loop, &l->watch);
	timer_start(loop_timers(l->loop), &l->step_back, STEP_BACK_MS);
	if (l->logged_at && now - l->logged_at < LOG_EVERY_MS)
		return;
	l->logged_at = now;
	log_warn("cannot accept connections for now", LOG_ERR(err), LOG_INT("fd", l->watch.fd));
}

static void on_step_back_over(struct timer *t)
{
	struct listener *l = container_of(t, struct listener, step_back);
	int err = start_watching(l);

	if (err < 0)
		step_back(l, err);
}

/* Errors of the one connection that was about to be accepted; see accept(2). */
static bool is_passing(int err)
{
	switch (err) {
	case ECONNABORTED:
	case EINTR:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case EPERM:
		return true;
	default:
		return false;
	}
}

/* The callback may pause or free the listener: then the watch is off. */
static void accept_some(struct listener *l, unsigned most)
{
	struct sockaddr_storage sa;
	struct addr peer;
	socklen_t len;
	int fd;

	for (unsigned i = 0; i < most && l->watch.events; i++) {
		len = sizeof(sa);
		fd = accept4(l->watch.fd, (void *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			peer = addr_from_sockaddr((const void *)&sa);
			l->fn(l, fd, &peer, l->arg);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (!is_passing(errno)) {
			step_back(l, errno);
			return;
		}
	}
}

static void on_connection(struct watch *w, uint32_t events)
{
	(void)events;
	accept_some(container_of(w, struct listener, watch), ACCEPTS_MAX);
}

void listener_accept_all(struct listener *l)
{
	accept_some(l, LAST_ACCEPTS);
}

int listener_new(struct listener **out, struct loop *loop, const struct listen_socket *ls,
    accept_fn fn, void *arg)
{
	struct listener *l = mem_zalloc(sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->fn = fn;
	l->arg = arg;
	l->shared = ls->is_shared;
	l->watch.fd = ls->fd;
	l->watch.fn = on_connection;
	timer_init(&l->step_back, on_step_back_over);
	if ((err = start_watching(l)) < 0) {
		mem_free(l);
		return err;
	}
	*out = l;
	return 0;
}

static void release(struct deferred *d)
{
	mem_free(container_of(d, struct listener, deferred));
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	listener_pause(l);
	loop_defer(l->loop, &l->deferred, release);
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	timer_stop(loop_timers(l->loop), &l->step_back);
	loop_unwatch(l->loop, &l->watch);
}

void listener_resume(struct listener *l)
{
	int err;

	if (!l->paused)
		return;
	l->paused = false;
	if ((err = start_watching(l)) < 0)
		step_back(l, err);
}
