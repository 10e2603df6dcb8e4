/*
 * files/static_files.c - files of a directory; see static_files.h.
 *
 * Files are opened on each request, so that an edit is seen at once. Nothing is served that is
 * hidden, outside the directory (also by a symbolic link), or not a regular file.
 */
#include "files/static_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "files/long_files.h"
#include "base/percent.h"

#define PATH_BYTES 512
#define ALIASES    4
#define TRIES      4 /* at a name that is being renamed */

struct alias {
	char *path;
	char *file;
};

struct http_static {
	int dir; /* descriptor of the directory */
	struct alias aliases[ALIASES];
	size_t alias_count;
};

int http_static_new(struct http_static **out, const char *directory)
{
	struct http_static *st = mem_zalloc(sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->dir = -1;
	if (directory) {
		st->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (st->dir < 0) {
			int err = -errno;

			mem_free(st);
			return err;
		}
	}
	*out = st;
	return 0;
}

void http_static_free(struct http_static *st)
{
	if (!st)
		return;
	if (st->dir >= 0)
		close(st->dir);
	for (size_t i = 0; i < st->alias_count; i++) {
		mem_free(st->aliases[i].path);
		mem_free(st->aliases[i].file);
	}
	mem_free(st);
}

int http_static_alias(struct http_static *st, const char *path, const char *file)
{
	struct alias *a = &st->aliases[st->alias_count];

	if (st->alias_count == ALIASES)
		return -ENOSPC;
	if (access(file, R_OK) < 0)
		return -errno;
	a->path = mem_strdup(path);
	a->file = mem_strdup(file);
	if (!a->path || !a->file) {
		mem_free(a->path);
		mem_free(a->file);
		return -ENOMEM;
	}
	st->alias_count++;
	return 0;
}

const char *http_content_type(const char *name)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".html", "text/html; charset=UTF-8" },
		{ ".css", "text/css; charset=UTF-8" },
		{ ".js", "text/javascript; charset=UTF-8" },
		{ ".mjs", "text/javascript; charset=UTF-8" },
		{ ".json", "application/json; charset=UTF-8" },
		{ ".map", "application/json; charset=UTF-8" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".txt", "text/plain; charset=UTF-8" },
		{ ".woff2", "font/woff2" },
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		size_t len = strlen(types[i].suffix);

		if (n > len && strcmp(name + n - len, types[i].suffix) == 0)
			return types[i].type;
	}
	return "application/octet-stream";
}

/* --- names ---------------------------------------------------------------- */

/* Decodes the path segment by segment into a name relative to the directory. No segment may begin
 * with a dot, be empty (but the last) or hold a slash or NUL. */
static bool relative_name(struct bytes path, char out[PATH_BYTES])
{
	size_t i = 1, len = 0;

	if (path.p[0] != '/')
		return false;
	while (i <= path.n) {
		const char *slash = i < path.n ? memchr(path.p + i, '/', path.n - i) : NULL;
		struct bytes raw = { path.p + i,
			slash ? (size_t)(slash - path.p) - i : path.n - i };
		ssize_t n = percent_decode(raw, false, out + len, PATH_BYTES - len - 16);

		if (n < 0 || memchr(out + len, '/', (size_t)n) ||
		    memchr(out + len, '\0', (size_t)n))
			return false;
		if ((n > 0 && out[len] == '.') || (n == 0 && slash))
			return false;
		len += (size_t)n;
		if (!slash) {
			strcpy(out + len, n == 0 ? "index.html" : "");
			return true;
		}
		out[len++] = '/';
		i += raw.n + 1;
	}
	return false;
}

/* For kernels before 5.6, and sandboxes that do not know openat2(2): part by part, and no symbolic
 * link at all. */
static int open_without_links(int dir, const char *name)
{
	char part[PATH_BYTES];
	int at = dir, flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, next;

	for (const char *slash; (slash = strchr(name, '/')); name = slash + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
		next = openat(at, part, flags | O_DIRECTORY);
		if (at != dir)
			close(at);
		if (next < 0)
			return -1;
		at = next;
	}
	next = openat(at, name, flags);
	if (at != dir)
		close(at);
	return next;
}

/* Symbolic links are followed as long as they stay below the directory. (The kernel gives up with
 * EAGAIN when something was renamed on the way.) */
static int open_beneath(int dir, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_without_links(dir, name);
	return (int)fd;
}

static int open_file(const struct http_static *st, struct bytes path, char name[PATH_BYTES])
{
	for (size_t i = 0; i < st->alias_count; i++) {
		if (bytes_equal(path, bytes_of(st->aliases[i].path))) {
			snprintf(name, PATH_BYTES, "%s", st->aliases[i].path);
			return open(st->aliases[i].file, O_RDONLY | O_CLOEXEC);
		}
	}
	if (st->dir < 0 || !relative_name(path, name))
		return -1;
	return open_beneath(st->dir, name);
}

bool http_etag_matches(struct bytes list, struct bytes etag)
{
	size_t i = 0;

	if (bytes_equal(list, BYTES("*")))
		return true;
	while (i < list.n) {
		size_t from, to;

		while (i < list.n && (list.p[i] == ' ' || list.p[i] == '\t' || list.p[i] == ','))
			i++;
		if (i + 2 < list.n && list.p[i] == 'W' && list.p[i + 1] == '/')
			i += 2;
		from = i;
		if (i < list.n && list.p[i] == '"')
			for (i++; i < list.n && list.p[i] != '"'; i++)
				;
		while (i < list.n && list.p[i] != ',')
			i++;
		for (to = i; to > from && (list.p[to - 1] == ' ' || list.p[to - 1] == '\t'); to--)
			;
		if (bytes_equal((struct bytes){ list.p + from, to - from }, etag))
			return true;
	}
	return false;
}

/* --- answers -------------------------------------------------------------- */

/* Takes `fd` over. */
static void answer(struct http_request *r, int fd, const struct stat *meta, const char *name)
{
	struct bytes condition = http_request_header(r, HTTP_IF_NONE_MATCH);
	struct http_head head;
	char etag[64];

	snprintf(etag, sizeof(etag), "\"%llx-%llx-%lx\"", (unsigned long long)meta->st_size,
	    (unsigned long long)meta->st_mtim.tv_sec, (unsigned long)meta->st_mtim.tv_nsec);
	http_head_init(&head, 200);
	http_head_add(&head, "ETag", etag);
	http_head_add(&head, "Cache-Control", "no-cache"); /* keep it, but ask first */
	if (condition.p && http_etag_matches(condition, bytes_of(etag))) {
		head.status = 304;
		http_respond(r, &head, (struct bytes){ 0 });
		close(fd);
		return;
	}
	http_head_add(&head, "Content-Type", http_content_type(name));
	http_head_add(&head, "X-Content-Type-Options", "nosniff");
	http_respond_file(r, &head, fd, meta);
}

bool http_static_serve(struct http_static *st, struct http_request *r)
{
	char name[PATH_BYTES];
	struct http_head head;
	struct stat meta;
	int fd = open_file(st, http_request_path(r), name);

	if (fd < 0)
		return false;
	if (fstat(fd, &meta) < 0 || !S_ISREG(meta.st_mode)) {
		close(fd);
		return false;
	}
	if (http_request_method(r) & (HTTP_GET | HTTP_HEAD)) {
		answer(r, fd, &meta, name);
		return true;
	}
	close(fd);
	http_head_init(&head, 405);
	http_head_add(&head, "Allow", "GET, HEAD");
	http_respond(r, &head, (struct bytes){ 0 });
	return true;
}
