/*
 * net/inherited.c - who has which of the sockets that were inherited; see inherited.h.
 *
 * Owns: the descriptors, which it never closes: the process ends with them.
 */
#include "net/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

struct inherited {
	int first;
	unsigned count;
	const char *names[INHERITED_MOST]; /* "unknown" as the protocol has it: not told */
	char *text;                        /* of the names */
	char trouble[160];                 /* why there is none; "": there are */
	atomic_uint users[INHERITED_MOST];
};

/* A bit for each. */
typedef uint64_t inherited_set;

_Static_assert(INHERITED_MOST <= 64, "a set has room for all");

/* --- the variables ------------------------------------------------------ */

/* Decimal, not negative; -1: it is something else. */
static long number(const char *text)
{
	char *end;
	long n;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno || *end ? -1 : n;
}

/* How many there are; 0, with the trouble, if there is none for us. */
static unsigned count_of(struct inherited *in, pid_t self, const char *pid, const char *fds)
{
	long n = fds ? number(fds) : -1;

	if (!pid || !fds)
		snprintf(in->trouble, sizeof(in->trouble), "no socket was inherited: %s is not set",
		    !pid ? "$LISTEN_PID" : "$LISTEN_FDS");
	else if (number(pid) != (long)self)
		snprintf(in->trouble, sizeof(in->trouble),
		    "no socket was inherited: $LISTEN_PID is \"%.20s\", and this is process %ld", pid,
		    (long)self);
	else if (n < 1 || n > INHERITED_MOST)
		snprintf(in->trouble, sizeof(in->trouble),
		    "no socket was inherited: $LISTEN_FDS is \"%.20s\"; allowed: 1 to %d", fds,
		    INHERITED_MOST);
	else
		return (unsigned)n;
	return 0;
}

static int read_names(struct inherited *in, const char *names)
{
	char *rest;

	in->text = mem_strdup(names ? names : "");
	if (!in->text)
		return -ENOMEM;
	rest = in->text;
	for (unsigned i = 0; i < in->count; i++) {
		const char *name = strsep(&rest, ":");

		in->names[i] = name && *name ? name : "unknown";
	}
	return 0;
}

struct inherited *inherited_new(
    int first, pid_t self, const char *pid, const char *fds, const char *names)
{
	struct inherited *in = mem_zalloc(sizeof(*in));

	if (!in)
		return NULL;
	in->first = first;
	in->count = count_of(in, self, pid, fds);
	if (read_names(in, names) < 0) {
		mem_free(in);
		return NULL;
	}
	for (unsigned i = 0; i < in->count; i++)
		fcntl(in->first + (int)i, F_SETFD, FD_CLOEXEC);
	return in;
}

void inherited_free(struct inherited *in)
{
	if (!in)
		return;
	mem_free(in->text);
	mem_free(in);
}

static struct inherited *ours;

static void read_environment(void)
{
	ours = inherited_new(INHERITED_FROM, getpid(), getenv("LISTEN_PID"), getenv("LISTEN_FDS"),
	    getenv("LISTEN_FDNAMES"));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

struct inherited *inherited_here(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_environment);
	return ours;
}

/* --- what was inherited, in words --------------------------------------- */

static void print_place(int fd, char *text, size_t size)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);
	char ip[ADDR_TEXT_MAX];
	struct addr a;

	if (getsockname(fd, (void *)&sa, &len) < 0) {
		snprintf(text, size, "%s", strerror(errno));
	} else if (sa.ss_family == AF_UNIX) {
		listen_unix_print((const void *)&sa, len, text, size);
	} else {
		a = addr_from_sockaddr((const void *)&sa);
		snprintf(text, size, "%s", addr_print(&a, true, ip));
	}
}

/* Appends those of a set, as far as there is room. */
static void describe(const struct inherited *in, inherited_set set, char *text, size_t size)
{
	const char *comma = "";
	size_t n = strlen(text);

	for (unsigned i = 0; i < in->count && n + 1 < size; i++) {
		char place[160];

		if (!(set >> i & 1))
			continue;
		print_place(in->first + (int)i, place, sizeof(place));
		snprintf(text + n, size - n, "%sfd:%d \"%.60s\" (%s)", comma, in->first + (int)i,
		    in->names[i], place);
		n += strlen(text + n);
		comma = ", ";
	}
}

static inherited_set all_of(const struct inherited *in)
{
	return in->count ? UINT64_MAX >> (INHERITED_MOST - in->count) : 0;
}

/* Those of a set that somebody has. */
static inherited_set used_of(const struct inherited *in, inherited_set set)
{
	for (unsigned i = 0; i < in->count; i++)
		if (atomic_load(&in->users[i]) == 0)
			set &= ~((inherited_set)1 << i);
	return set;
}

bool inherited_unused(const struct inherited *in, char *text, size_t size)
{
	inherited_set unused = all_of(in) & ~used_of(in, all_of(in));

	text[0] = '\0';
	describe(in, unused, text, size);
	return unused != 0;
}

/* --- taking ------------------------------------------------------------- */

static inherited_set find(const struct inherited *in, const char *name)
{
	long n = number(name);
	inherited_set found = 0;

	for (unsigned i = 0; i < in->count; i++)
		if (n >= 0 ? n == in->first + (long)i : strcmp(in->names[i], name) == 0)
			found |= (inherited_set)1 << i;
	return found;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* What it is not, if it is no socket to be accepted from; NULL: it is. */
static const char *fault_of(int fd, struct listen_addr *addr)
{
	addr->len = sizeof(addr->sa);
	if (getsockname(fd, (void *)&addr->sa, &addr->len) < 0)
		return errno == EBADF ? "is not open" : "is not a socket";
	if (addr->sa.ss_family != AF_INET && addr->sa.ss_family != AF_INET6 &&
	    addr->sa.ss_family != AF_UNIX)
		return "is neither of TCP nor a unix socket";
	if (option_of(fd, SO_TYPE) != SOCK_STREAM)
		return "is not a stream (ListenStream=)";
	if (option_of(fd, SO_ACCEPTCONN) != 1)
		return "does not listen (Accept=no)";
	return NULL;
}

/* As one that we had opened. */
static int copy(int fd, const struct listen_addr *addr, atomic_uint *users, struct listen_socket *out)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), yes = 1;

	if (own < 0)
		return -errno;
	/* Of all copies, and of the one that the service manager has: it does not mind */
	if (fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK) < 0) {
		int err = -errno;

		close(own);
		return err;
	}
	*out = (struct listen_socket){ .fd = own,
		.is_unix = addr->sa.ss_family == AF_UNIX,
		.users = users,
		.addr = *addr };
	atomic_fetch_add(users, 1);
	if (!out->is_unix)
		setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return 0;
}

struct taking {
	int fds[INHERITED_MOST];
	struct listen_addr addrs[INHERITED_MOST];
	unsigned count;
};

/* All that one address is for must be the same place (ReusePort=): it has one URL, and its options. */
static int look_at(const struct inherited *in, inherited_set set, struct taking *t, char *why,
    size_t why_size)
{
	for (unsigned i = 0; i < in->count; i++) {
		struct listen_addr *addr = &t->addrs[t->count];
		const char *fault;
		int fd = in->first + (int)i;

		if (!(set >> i & 1))
			continue;
		*addr = (struct listen_addr){ 0 };
		if ((fault = fault_of(fd, addr)) != NULL) {
			snprintf(why, why_size, "descriptor %d, which was inherited, %s", fd, fault);
			return -EINVAL;
		}
		if (addr->len != t->addrs[0].len || memcmp(&addr->sa, &t->addrs[0].sa, addr->len)) {
			snprintf(why, why_size, "this is several places, to be named one by one: ");
			describe(in, set, why, why_size);
			return -EINVAL;
		}
		t->fds[t->count++] = fd;
	}
	return 0;
}

static int copy_all(struct inherited *in, const struct taking *t, struct listen_socket *sockets,
    unsigned wanted, char *why, size_t why_size)
{
	int err;

	for (unsigned i = 0; i < wanted; i++) {
		unsigned from = i % t->count;

		err = copy(t->fds[from], &t->addrs[from], &in->users[t->fds[from] - in->first],
		    &sockets[i]);
		if (err == 0) {
			sockets[i].is_shared = wanted > t->count;
			continue;
		}
		snprintf(why, why_size, "cannot listen: %s", strerror(-err));
		while (i-- > 0)
			listen_socket_close(&sockets[i], false);
		return err;
	}
	return 0;
}

static int take_set(struct inherited *in, inherited_set set, struct listen_socket *sockets,
    unsigned wanted, char *why, size_t why_size)
{
	struct taking t = { .count = 0 };
	int err = look_at(in, set, &t, why, why_size);

	if (err == 0 && t.count > wanted) {
		snprintf(why, why_size,
		    "%u sockets have this name, and %u thread%s here; each needs one of its own",
		    t.count, wanted, wanted == 1 ? " listens" : "s listen");
		err = -EINVAL;
	}
	return err < 0 ? err : copy_all(in, &t, sockets, wanted, why, why_size);
}

int inherited_take(struct inherited *in, const char *name, struct listen_socket *sockets,
    unsigned wanted, char *why, size_t why_size)
{
	inherited_set set = find(in, name);

	if (*in->trouble) {
		snprintf(why, why_size, "%s", in->trouble);
		return -EINVAL;
	}
	if (!set) {
		snprintf(why, why_size, "nothing of this name was inherited, but ");
		describe(in, all_of(in), why, why_size);
		return -EINVAL;
	}
	if (used_of(in, set)) {
		snprintf(why, why_size, "another address listens at this socket: ");
		describe(in, set, why, why_size);
		return -EINVAL;
	}
	return take_set(in, set, sockets, wanted, why, why_size);
}
