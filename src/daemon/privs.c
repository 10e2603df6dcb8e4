/*
 * daemon/privs.c - raises the limit of descriptors, drops root; see privs.h.
 */
#include "daemon/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/config_error.h"

/* Of each reactor: epoll (its own and libmicrohttpd's two), mailbox, ring, two pairs to libmicrohttpd; and of the process: logs,
 * pages, names to be resolved. */
enum { FOR_A_REACTOR = 13, FOR_THE_PROCESS = 64 };

/* --- descriptors ------------------------------------------------------------------------------ */

/* The most that one client takes: its connection, one to a backend. */
static uint64_t descriptors_for_a_client(const struct config *c)
{
	bool dials = false;

	for (size_t i = 0; i < c->endpoint_count; i++)
		dials = dials || (c->endpoints[i].app->scopes & 1u << OPTION_UPSTREAM);
	return 1 + (dials ? 1 : 0);
}

/* Connections of a reactor to backends of hooks. */
static uint64_t for_hooks(const struct config *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->endpoint_count; i++)
		if (c->endpoints[i].options.hooks.url)
			n += c->endpoints[i].options.hooks.max_connections;
	return n;
}

uint64_t privs_descriptors_needed(const struct config *c)
{
	const struct server_options *o = &c->options.server;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t reactors = o->threads ? o->threads : cores > 0 ? (uint64_t)cores : 1;

	return o->limit_connections * descriptors_for_a_client(c) +
	       reactors * (FOR_A_REACTOR + c->listener_count + for_hooks(c)) + FOR_THE_PROCESS;
}

void privs_raise_descriptors(const struct config *c)
{
	uint64_t needed = privs_descriptors_needed(c);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	if (limit.rlim_cur < needed)
		log_warn(
		    "limits.connections is more than the descriptors allowed: raise LimitNOFILE or "
		    "ulimit -n",
		    LOG_INT("descriptors", limit.rlim_cur), LOG_INT("needed", needed),
		    LOG_INT("connections", c->options.server.limit_connections),
		    LOG_INT("for_each", descriptors_for_a_client(c)));
}

/* --- user and group --------------------------------------------------------------------------- */

/* Not to be found, or not to be asked for now: a directory service may be down. */
static int unknown(struct config *c, const char *key, const char *name, int err)
{
	if (err)
		return config_blame(c, -EAGAIN, key, "cannot look up \"%.*s\": %s", CONFIG_SHOWN,
		    name, strerror(err));
	return config_blame(c, -EINVAL, key, "\"%.*s\" is not known here", CONFIG_SHOWN, name);
}

/* errno when nothing was found, as getpwnam(3) has it. */
static int lookup_error(void)
{
	return errno == ENOENT || errno == ESRCH || errno == EBADF || errno == EPERM ? 0 : errno;
}

uint64_t privs_descriptors(void)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static int find_user(struct config *c, uid_t *uid, gid_t *gid)
{
	struct passwd *pw;

	errno = 0;
	if (!(pw = getpwnam(c->user)))
		return unknown(c, "user", c->user, lookup_error());
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int find_group(struct config *c, gid_t *gid)
{
	struct group *gr;

	errno = 0;
	if (!(gr = getgrnam(c->group)))
		return unknown(c, "group", c->group, lookup_error());
	*gid = gr->gr_gid;
	return 0;
}

static int find_both(struct config *c, uid_t *uid, gid_t *gid)
{
	int err = c->user ? find_user(c, uid, gid) : 0;

	if (err == 0 && c->group)
		err = find_group(c, gid);
	return err;
}

int privs_check(struct config *c)
{
	uid_t uid;
	gid_t gid;

	return find_both(c, &uid, &gid);
}

/* What privs_return() goes back to. */
static struct {
	bool borrowed;
	gid_t gid;
	gid_t *groups;
	int count;
} own;

static int save_groups(struct config *c)
{
	int n = getgroups(0, NULL);

	own.gid = getegid();
	own.groups = mem_alloc(((size_t)(n < 0 ? 0 : n) + 1) * sizeof(*own.groups));
	if (!own.groups)
		return config_no_memory(c);
	own.count = n > 0 ? getgroups(n, own.groups) : 0;
	return 0;
}

int privs_borrow(struct config *c)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int err;

	if (geteuid() != 0 || (!c->user && !c->group))
		return 0;
	if ((err = find_both(c, &uid, &gid)) < 0 || (err = save_groups(c)) < 0)
		return err;
	own.borrowed = true;
	err = c->user ? initgroups(c->user, gid) : setgroups(1, &gid);
	if (err == 0 && setegid(gid) == 0 && seteuid(uid) == 0)
		return 0;
	err =
	    config_fail(c, -errno, "cannot try the rights of user and group: %s", strerror(errno));
	privs_return();
	return err;
}

/* With less than our own rights nothing must go on. */
void privs_return(void)
{
	if (!own.borrowed)
		return;
	if (seteuid(0) < 0 || setegid(own.gid) < 0 ||
	    setgroups((size_t)(own.count > 0 ? own.count : 0), own.groups) < 0)
		abort();
	mem_free(own.groups);
	own.borrowed = false;
}

/* The groups first: afterwards there is no right to change them. */
static int become(struct config *c, uid_t uid, gid_t gid)
{
	int err = c->user ? initgroups(c->user, gid) : setgroups(1, &gid);

	if (err < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return config_fail(c, -errno, "cannot drop privileges: %s", strerror(errno));
	if (uid != 0 && setuid(0) == 0)
		return config_fail(c, -EPERM, "cannot drop privileges: root could be regained");
	return 0;
}

int privs_drop(struct config *c)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	int err;

	if (!c->user && !c->group)
		return 0;
	if (geteuid() != 0) {
		log_warn("user and group are ignored: only root can change them");
		return 0;
	}
	if ((err = find_both(c, &uid, &gid)) < 0)
		return err;
	return become(c, uid, gid);
}
