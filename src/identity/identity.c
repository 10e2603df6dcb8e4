/*
 * identity/identity.c - see identity.h. All of an identity is one allocation.
 */
#include "identity/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct identity anonymous = { .name = (char[]){ "" } };

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t count_names(const char *const *names, size_t *octets)
{
	size_t n = 0;

	for (; names && names[n]; n++)
		*octets += strlen(names[n]) + 1;
	return n;
}

/* Copies a string to *at, which goes on behind it. */
static char *put_name(char **at, const char *name)
{
	size_t n = strlen(name) + 1;
	char *copy = memcpy(*at, name, n);

	*at += n;
	return copy;
}

struct identity *identity_new(
    const char *name, const char *const *roles, json_t *claims, uint64_t expires_at)
{
	size_t octets = strlen(name) + 1, count = count_names(roles, &octets);
	struct identity *i = mem_alloc(sizeof(*i) + (count + 1) * sizeof(char *) + octets);
	char *at;

	if (!i)
		return NULL;
	atomic_init(&i->refs, 1);
	i->roles = (char **)(void *)(i + 1);
	at = (char *)(i->roles + count + 1);
	i->name = put_name(&at, name);
	for (size_t n = 0; n < count; n++)
		i->roles[n] = put_name(&at, roles[n]);
	i->roles[count] = NULL;
	i->role_count = count;
	qsort(i->roles, count, sizeof(*i->roles), compare_names);
	i->claims = json_incref(claims);
	i->expires_at = expires_at;
	return i;
}

struct identity *identity_anonymous(void)
{
	return &anonymous;
}

/* Nobody counts who has the anonymous one: that would be one cache line for all reactors. */
struct identity *identity_ref(struct identity *i)
{
	if (i != &anonymous)
		atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
	return i;
}

void identity_unref(struct identity *i)
{
	if (!i || i == &anonymous)
		return;
	if (atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) > 1)
		return;
	json_decref(i->claims);
	mem_free(i);
}

bool identity_is_anonymous(const struct identity *i)
{
	return i->name[0] == '\0';
}

bool identity_has_role(const struct identity *i, const char *role)
{
	return i->role_count > 0 &&
	       bsearch(&role, i->roles, i->role_count, sizeof(*i->roles), compare_names) != NULL;
}

/* --- names and claims ---------------------------------------------------------- */

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

bool identity_name_is_valid(struct bytes name)
{
	const unsigned char *p = (const unsigned char *)name.p;

	for (size_t i = 0; i < name.n; i++) {
		if (is_control(p[i]))
			return false;
		if (p[i] == 0xc2 && i + 1 < name.n && p[i + 1] < 0xa0)
			return false; /* U+0080 to U+009F */
	}
	return name.n > 0 && name.n <= IDENTITY_NAME_MAX;
}

/* The member that the path begins with; *path goes on behind it, NULL at the end. */
static json_t *step(const json_t *object, const char **path)
{
	const char *dot = strchr(*path, '.');
	size_t n = dot ? (size_t)(dot - *path) : strlen(*path);
	char key[IDENTITY_NAME_MAX];

	if (n >= sizeof(key))
		return NULL;
	memcpy(key, *path, n);
	key[n] = '\0';
	*path = dot ? dot + 1 : NULL;
	return json_object_get(object, key);
}

json_t *identity_claim(const json_t *claims, const char *path)
{
	json_t *found = json_object_get(claims, path);

	if (found || !strchr(path, '.'))
		return found;
	found = step(claims, &path);
	while (found && path)
		found = step(found, &path);
	return found;
}
