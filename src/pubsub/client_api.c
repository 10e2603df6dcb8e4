/*
 * pubsub/client_api.c - what an application in C knows of a client, says of it, and keeps with it.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "pubsub/snapshot.h"

/* --- which there are ------------------------------------------------------------------- */

void sockjs_broker_each_client(
    struct sockjs_broker *b, void (*fn)(struct sockjs_client *c, void *arg), void *arg)
{
	struct pubsub_part *part = pubsub_here(b);
	struct list *pos, *next;

	if (!part)
		return;
	list_foreach_safe (pos, next, &part->clients)
		fn(container_of(pos, struct sockjs_client, node), arg);
}

void sockjs_broker_each_of_user(struct sockjs_broker *b, const char *user,
    void (*fn)(struct sockjs_client *c, void *arg), void *arg)
{
	struct pubsub_part *part = pubsub_here(b);
	struct list *pos, *next;

	if (!part)
		return;
	list_foreach_safe (pos, next, &part->clients) {
		struct sockjs_client *c = container_of(pos, struct sockjs_client, node);

		if (strcmp(c->who->name, user) == 0)
			fn(c, arg);
	}
}

struct sockjs_session *sockjs_client_session(const struct sockjs_client *c)
{
	return c->session;
}

const char *sockjs_client_name(const struct sockjs_client *c, char *out)
{
	struct bytes name = c->member ? broker_member_session(c->member) : (struct bytes){ 0 };

	bytes_put(out, name);
	out[name.n] = '\0';
	return out;
}

const char *sockjs_client_user(const struct sockjs_client *c)
{
	return c->who->name;
}

int sockjs_client_has_role(const struct sockjs_client *c, const char *role)
{
	return identity_has_role(c->who, role);
}

/* --- who it is ---------------------------------------------------------------------- */

static bool may_be_named(const struct sockjs_client *c)
{
	return c->is_deciding || c->asked == ASK_AUTHENTICATE || c->asked == ASK_CONNECT;
}

/* Takes the reference; NULL: memory was out. */
static int become(struct sockjs_client *c, struct identity *who)
{
	if (!who)
		return -ENOMEM;
	identity_unref(c->who);
	c->who = who;
	c->is_vouched = !identity_is_anonymous(who);
	return 0;
}

static bool is_name(const char *user)
{
	return user && strlen(user) <= IDENTITY_NAME_MAX;
}

int sockjs_client_set_user(struct sockjs_client *c, const char *user)
{
	const struct identity *now = c->who;

	if (!may_be_named(c))
		return -EBUSY;
	if (!is_name(user))
		return -EINVAL;
	return become(
	    c, identity_new(user, (const char *const *)now->roles, now->claims, now->expires_at));
}

/* NULL-terminated, in memory of the caller; the names are not copied. */
static const char **list_roles(const struct sockjs_identity *who)
{
	const char **roles = mem_alloc((who->role_count + 1) * sizeof(*roles));

	if (!roles)
		return NULL;
	for (size_t i = 0; i < who->role_count; i++)
		roles[i] = who->roles[i];
	roles[who->role_count] = NULL;
	return roles;
}

static struct identity *make_identity(const struct sockjs_identity *who, json_t *claims)
{
	const char **roles = list_roles(who);
	struct identity *made =
	    roles ? identity_new(who->user, roles, claims, who->expires_at) : NULL;

	mem_free(roles);
	return made;
}

/* 0, -EINVAL or -ENOMEM. */
static int read_claims(const char *text, json_t **out)
{
	json_error_t error;

	*out = text ? json_loads(text, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (text && !*out)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
	return *out && !json_is_object(*out) ? -EINVAL : 0;
}

int sockjs_client_set_identity(struct sockjs_client *c, const struct sockjs_identity *who)
{
	json_t *claims = NULL;
	int err;

	if (!may_be_named(c))
		return -EBUSY;
	if (!is_name(who->user))
		return -EINVAL;
	for (size_t i = 0; i < who->role_count; i++)
		if (!who->roles[i])
			return -EINVAL;
	err = read_claims(who->claims, &claims);
	if (err == 0)
		err = become(c, make_identity(who, claims));
	json_decref(claims);
	return err;
}

/* --- its end ------------------------------------------------------------------------- */

const char *sockjs_client_end(const struct sockjs_client *c, unsigned *code)
{
	*code = c->end_code;
	return c->end_reason ? c->end_reason : "";
}

void sockjs_client_disconnect(struct sockjs_client *c, const char *sentence)
{
	client_fail(c, STOMP_E_DISCONNECTED, sentence);
}

/* --- what is kept with it ------------------------------------------------------------- */

void sockjs_client_set_data(struct sockjs_client *c, void *data)
{
	c->data = data;
}

void *sockjs_client_data(const struct sockjs_client *c)
{
	return c->data;
}

/* --- attributes ------------------------------------------------------------------------- */

struct attribute {
	struct list node;
	char *name, *value;
};

static void attribute_free(struct attribute *a)
{
	list_remove(&a->node);
	mem_free(a->name);
	mem_free(a->value);
	mem_free(a);
}

static struct attribute *find_attribute(const struct sockjs_client *c, const char *name)
{
	struct list *pos;

	if (!c->extra)
		return NULL;
	list_foreach (pos, &c->extra->attributes) {
		struct attribute *a = container_of(pos, struct attribute, node);

		if (strcmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}

static int add_attribute(struct sockjs_client *c, const char *name, const char *value)
{
	struct client_extra *e = client_extra(c);
	struct attribute *a = e ? mem_zalloc(sizeof(*a)) : NULL;

	if (!a)
		return -ENOMEM;
	list_append(&e->attributes, &a->node);
	a->name = mem_strdup(name);
	a->value = mem_strdup(value);
	if (a->name && a->value)
		return 0;
	attribute_free(a);
	return -ENOMEM;
}

int sockjs_client_set(struct sockjs_client *c, const char *name, const char *value)
{
	struct attribute *before = find_attribute(c, name);
	int err = value ? add_attribute(c, name, value) : 0;

	if (err == 0 && before)
		attribute_free(before);
	return err;
}

const char *sockjs_client_get(const struct sockjs_client *c, const char *name)
{
	const struct attribute *a = find_attribute(c, name);

	return a ? a->value : NULL;
}

void client_forget_attributes(struct sockjs_client *c)
{
	while (c->extra && !list_empty(&c->extra->attributes))
		attribute_free(
		    container_of(list_first(&c->extra->attributes), struct attribute, node));
}

static void read_attributes(struct sockjs_client *c, struct snapshot *s)
{
	while (snapshot_more(s, false)) {
		char *name = snapshot_text(s, NULL), *value = snapshot_text(s, NULL);

		if (snapshot_check(s, name && value) && add_attribute(c, name, value) < 0)
			snapshot_fail(s, -ENOMEM);
		mem_free(name);
		mem_free(value);
	}
}

void client_attributes_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	struct list *pos;

	if (s->is_reading) {
		read_attributes(c, s);
		return;
	}
	list_foreach (pos, &c->extra->attributes) {
		const struct attribute *a = container_of(pos, struct attribute, node);

		snapshot_more(s, true);
		snapshot_text(s, a->name);
		snapshot_text(s, a->value);
	}
	snapshot_more(s, false);
}
