/*
 * apps/kept.c - see kept.h.
 */
#include "apps/kept.h"

#include <string.h>

int kept_put(struct sockjs_saved *to, const char *app, const void *p, size_t n)
{
	int err = sockjs_saved_put(to, app, strlen(app) + 1);

	return err < 0 || n == 0 ? err : sockjs_saved_put(to, p, n);
}

int kept_get(struct sockjs_saved *from, const char *app, void *p, size_t n)
{
	size_t name = strlen(app) + 1, len;
	const char *all = sockjs_saved_get(from, &len);

	if (len != name + n || memcmp(all, app, name) != 0)
		return 0;
	if (n > 0)
		memcpy(p, all + name, n);
	return 1;
}
