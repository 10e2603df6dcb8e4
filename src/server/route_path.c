/*
 * server/route_path.c - the grammar of paths below a prefix. A path is split while it is
 * raw and each segment decoded then, so that an escaped slash or dot is never taken for
 * structure.
 */
#include "server/route.h"
#include "base/percent.h"
#include "server/server_private.h"

struct bytes path_take_segment(struct bytes *rest)
{
	struct bytes segment = { 0 };
	const char *slash;

	if (rest->n == 0)
		return segment;
	slash = rest->n > 1 ? memchr(rest->p + 1, '/', rest->n - 1) : NULL;
	segment.p = rest->p + 1;
	segment.n = slash ? (size_t)(slash - segment.p) : rest->n - 1;
	rest->p += segment.n + 1;
	rest->n -= segment.n + 1;
	return segment;
}

size_t path_decode_id(struct bytes raw, char out[PATH_ID_MAX])
{
	ssize_t n = percent_decode(raw, false, out, PATH_ID_MAX);

	if (n <= 0 || memchr(out, '.', (size_t)n) || memchr(out, ';', (size_t)n))
		return 0;
	return (size_t)n;
}

/* --- a path of the application's own ------------------------------------ */

/* The last n segments of a path, each with its slash; empty if there are not so many. */
static struct bytes last_segments(struct bytes path, unsigned n)
{
	size_t from = path.n;

	while (n > 0 && from > 0)
		if (path.p[--from] == '/')
			n--;
	return (struct bytes){ path.p + from, n == 0 ? path.n - from : 0 };
}

static bool is_session_url(struct bytes tail)
{
	struct bytes server = path_take_segment(&tail), session = path_take_segment(&tail);
	char id[PATH_ID_MAX];

	return transport_find(path_take_segment(&tail)) && path_decode_id(server, id) > 0 &&
	       path_decode_id(session, id) > 0;
}

struct bytes path_session_tail(struct bytes path)
{
	struct bytes three = last_segments(path, 3);

	return three.n && is_session_url(three) ? three : (struct bytes){ 0 };
}

/* What is SockJS's own at the end of a path. */
static struct bytes tail_of(struct bytes path)
{
	struct bytes three = last_segments(path, 3), one = last_segments(path, 1);

	if (three.n && is_session_url(three))
		return three;
	if (bytes_equal(one, BYTES("/")) || bytes_equal(one, BYTES("/info")) ||
	    bytes_equal(one, BYTES("/websocket")) || iframe_is_path(one))
		return one;
	return (struct bytes){ path.p + path.n, 0 };
}

/* A backend may be asked for it: nothing in it leads to another place, however it is spelt. */
static bool is_safe_segment(struct bytes raw)
{
	char text[PATH_ID_MAX];
	ssize_t n = percent_decode(raw, false, text, PATH_ID_MAX);

	if (n <= 0 || memchr(text, '/', (size_t)n) || memchr(text, '\\', (size_t)n))
		return false;
	return !(text[0] == '.' && (n == 1 || (n == 2 && text[1] == '.')));
}

bool path_take_subpath(struct bytes *rest, struct bytes *path)
{
	struct bytes tail = tail_of(*rest), left;

	*path = (struct bytes){ rest->p, rest->n - tail.n };
	*rest = tail;
	for (left = *path; left.n > 0;)
		if (!is_safe_segment(path_take_segment(&left)))
			return false;
	return true;
}
