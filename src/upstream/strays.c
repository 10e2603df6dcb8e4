/*
 * upstream/strays.c - see strays.h.
 */
#include "upstream/strays.h"

#include <errno.h>

#include "base/mem.h"

void strays_init(struct strays *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

void strays_fini(struct strays *s)
{
	for (size_t i = 0; i < s->count; i++) {
		target_fini(s->all[i]);
		mem_free(s->all[i]);
	}
	s->count = 0;
	pthread_mutex_destroy(&s->lock);
}

static int add(struct strays *s, struct bytes url)
{
	char *text = mem_strndup(url.p, url.n);
	struct target *t = mem_zalloc(sizeof(*t));
	int err = text && t ? target_init(t, text) : -ENOMEM;

	mem_free(text);
	if (err == 0)
		s->all[s->count++] = t;
	else
		mem_free(t);
	return err;
}

static struct target *look_up(const struct strays *s, struct bytes url)
{
	for (size_t i = 0; i < s->count; i++)
		if (bytes_equal(bytes_of(s->all[i]->url), url))
			return s->all[i];
	return NULL;
}

int strays_find(struct strays *s, struct bytes url, struct target **out)
{
	int err = 0;

	if (!url.p || memchr(url.p, '\0', url.n))
		return -EINVAL;
	pthread_mutex_lock(&s->lock);
	*out = look_up(s, url);
	if (!*out && s->count == STRAYS_MAX)
		err = -ENOSPC;
	else if (!*out)
		err = add(s, url);
	if (!*out && err == 0)
		*out = s->all[s->count - 1];
	pthread_mutex_unlock(&s->lock);
	return err;
}
