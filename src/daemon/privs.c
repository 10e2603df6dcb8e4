/*
 * daemon/privs.c - raises the limit of descriptors, drops root; see privs.h.
 */
#include "daemon/privs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "daemon/config_error.h"

/* Listeners, epoll, mailboxes, logs, files being served. */
#define SPARE_DESCRIPTORS 64

void privs_raise_descriptors(const struct config *c)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	if (limit.rlim_cur < c->options.server.limit_connections + SPARE_DESCRIPTORS)
		log_warn(
		    "limits.connections is more than the descriptors allowed: raise LimitNOFILE or "
		    "ulimit -n",
		    LOG_INT("descriptors", limit.rlim_cur),
		    LOG_INT("connections", c->options.server.limit_connections));
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
		return config_fail(c, -EINVAL, "user: \"%.*s\" is not known here%s%s", CONFIG_SHOWN,
		    c->user, errno ? ": " : "", errno ? strerror(errno) : "");
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int find_group(struct config *c, gid_t *gid)
{
	struct group *gr;

	errno = 0;
	if (!(gr = getgrnam(c->group)))
		return config_fail(c, -EINVAL, "group: \"%.*s\" is not known here%s%s",
		    CONFIG_SHOWN, c->group, errno ? ": " : "", errno ? strerror(errno) : "");
	*gid = gr->gr_gid;
	return 0;
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
	if (c->user && (err = find_user(c, &uid, &gid)) < 0)
		return err;
	if (c->group && (err = find_group(c, &gid)) < 0)
		return err;
	return become(c, uid, gid);
}
