/*
 * pubsub/client_snapshot.c - a STOMP client, for another process: its connection, who it is, what it has subscribed,
 * and what it has begun; see snapshot.h.
 *
 * Who waits for the word of somebody that does not come along cannot go on there: an application that decides about a
 * frame, an outside broker, another connection that it replaces. Its connection is closed in due form.
 */
#include <errno.h>

#include "base/mem.h"
#include "pubsub/relayed.h"
#include "pubsub/snapshot.h"
#include "server/json_text.h"

/* --- whether it may -------------------------------------------------------------------------- */

static bool is_alone(const struct client_extra *e)
{
	return !e->is_arriving && !e->own && !e->login && list_empty(&e->unanswered) &&
	       list_empty(&e->relayed_receipts);
}

/* An answer that is under way to a gate does not come along; one that has come for as much as there was room for
 * need not. */
static bool is_settled(const struct subscription *s)
{
	if (s->is_own || s->is_relayed)
		return false;
	return !label_has(s->label, LABEL_GATED) || (s->gate && gate_recovery(s->gate)->waits);
}

bool client_may_go_on(const struct sockjs_client *c)
{
	if (!c->part || c->asked || c->data || c->conn.state == STOMP_CONN_DECIDING ||
	    (c->extra && !is_alone(c->extra)))
		return false;
	for (const struct subscription *s = c->subscriptions; s; s = s->next)
		if (!is_settled(s))
			return false;
	return true;
}

/* --- who it is ----------------------------------------------------------------------------------- */

static void write_identity(const struct identity *who, struct snapshot *s)
{
	snapshot_bytes(s, bytes_of(who->name));
	snapshot_u64(s, who->expires_at);
	json_text_snapshot(who->claims, s);
	for (size_t i = 0; i < who->role_count; i++) {
		snapshot_more(s, true);
		snapshot_bytes(s, bytes_of(who->roles[i]));
	}
	snapshot_more(s, false);
}

static int add_role(struct buf *roles, struct bytes role)
{
	char *text = mem_strndup(role.p, role.n);

	if (text && buf_add(roles, &text, sizeof(text)) == 0)
		return 0;
	mem_free(text);
	return -ENOMEM;
}

/* With a NULL behind them. */
static void read_roles(struct buf *roles, struct snapshot *s)
{
	static const char *const none = NULL;

	while (snapshot_more(s, false))
		if (add_role(roles, snapshot_bytes(s, (struct bytes){ "", 0 })) < 0)
			snapshot_fail(s, -ENOMEM);
	if (buf_add(roles, &none, sizeof(none)) < 0)
		snapshot_fail(s, -ENOMEM);
}

static void free_roles(struct buf *roles)
{
	char **all = (char **)(void *)buf_data(roles);

	for (size_t i = 0; i < buf_len(roles) / sizeof(*all); i++)
		mem_free(all[i]);
	buf_fini(roles);
}

/* NULL: the snapshot says why. */
static struct identity *read_identity(struct snapshot *s)
{
	char *name = snapshot_text(s, NULL);
	uint64_t expires_at = snapshot_u64(s, 0);
	json_t *claims = json_text_snapshot(NULL, s);
	struct buf roles = BUF_INIT;
	struct identity *who = NULL;

	read_roles(&roles, s);
	if (snapshot_check(s, name != NULL)) {
		who = *name ? identity_new(name, (const char *const *)(void *)buf_data(&roles), claims, expires_at)
		            : identity_ref(identity_anonymous());
		if (!who)
			snapshot_fail(s, -ENOMEM);
	}
	free_roles(&roles);
	json_decref(claims);
	mem_free(name);
	return who;
}

static void identity_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	struct identity *who;

	if (!s->is_reading) {
		write_identity(c->who, s);
		return;
	}
	who = read_identity(s);
	if (!who)
		return;
	identity_unref(c->who);
	c->who = who;
}

/* --- its place in the broker ---------------------------------------------------------------------- */

static void flags_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	SNAPSHOT(s, bool, c->is_full);
	SNAPSHOT(s, bool, c->is_connected);
	SNAPSHOT(s, bool, c->is_known);
	SNAPSHOT(s, bool, c->attends);
	SNAPSHOT(s, bool, c->is_silent);
	SNAPSHOT(s, u8, c->token_error);
	SNAPSHOT(s, u16, c->end_code);
	SNAPSHOT(s, u32, c->answered);
}

static void member_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	struct bytes name = { NULL, 0 };

	if (!s->is_reading && c->member)
		name = broker_member_session(c->member);
	name = snapshot_bytes(s, name);
	if (!s->is_reading || !snapshot_check(s, c->is_connected == (name.n > 0)) || name.n == 0)
		return;
	if (connect_again(c, name) < 0)
		snapshot_fail(s, -ENOMEM);
	else if (c->is_silent)
		(void)broker_set_silent(c->member, true);
}

/* --- subscriptions -------------------------------------------------------------------------------- */

static void conflated_snapshot(struct sockjs_client *c, struct subscription *sub, struct snapshot *s)
{
	struct published *latest = sub->conflated ? sub->conflated->latest : NULL;

	if (!s->is_reading) {
		if (snapshot_bool(s, latest != NULL))
			published_snapshot(latest, NULL, s);
		return;
	}
	sub->conflated = mem_zalloc(sizeof(*sub->conflated));
	if (!sub->conflated) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	*sub->conflated = (struct conflated){ c, sub->label, NULL };
	if (snapshot_bool(s, false))
		sub->conflated->latest = published_snapshot(NULL, &c->part->scratch, s);
}

/* What its label says that it has. */
static void receiver_snapshot(struct sockjs_client *c, struct subscription *sub, struct snapshot *s)
{
	if (label_has(sub->label, LABEL_GATED))
		gate_snapshot(c, sub, s);
	else if (label_has(sub->label, LABEL_CONFLATED))
		conflated_snapshot(c, sub, s);
}

static void write_subscription(struct sockjs_client *c, struct subscription *sub, struct snapshot *s)
{
	const size_t without_id = 2;

	snapshot_bytes(s, (struct bytes){ sub->id, sub->id_len });
	snapshot_bool(s, sub->label->key_len > without_id);
	snapshot_u8(s, (uint8_t)sub->label->key[1]);
	receiver_snapshot(c, sub, s);
	broker_subscription_snapshot(&sub->topic, c->member, NULL, 0, s);
}

/* Behind all that are there. */
static struct subscription *append(struct sockjs_client *c, struct bytes id)
{
	struct subscription **at = &c->subscriptions, *sub = mem_zalloc(offsetof(struct subscription, id) + id.n);

	if (!sub)
		return NULL;
	while (*at)
		at = &(*at)->next;
	*at = sub;
	sub->id_len = (unsigned)id.n & SUBSCRIPTION_ID_MAX;
	bytes_put(sub->id, id);
	c->subscription_count++;
	return sub;
}

static void read_receiver(struct sockjs_client *c, struct subscription *sub, struct snapshot *s)
{
	void *receiver = c->session;

	receiver_snapshot(c, sub, s);
	if (snapshot_error(s))
		return;
	if (label_has(sub->label, LABEL_GATED | LABEL_CONFLATED))
		receiver = sub->gate;
	broker_subscription_snapshot(&sub->topic, c->member, receiver, (uintptr_t)sub->label, s);
}

static void read_subscription(struct sockjs_client *c, struct snapshot *s)
{
	struct bytes id = snapshot_bytes(s, (struct bytes){ "", 0 });
	bool has_id = snapshot_bool(s, false);
	unsigned flags = snapshot_u8(s, 0);
	struct subscription *sub;

	if (!snapshot_check(s, c->member && id.n <= SUBSCRIPTION_ID_MAX && !(flags & LABEL_TOLD) &&
	                           (flags & (LABEL_GATED | LABEL_CONFLATED)) != (LABEL_GATED | LABEL_CONFLATED)))
		return;
	sub = append(c, id);
	if (sub)
		sub->label = label_get(c->part, (enum stomp_version)c->conn.version, flags,
		    has_id ? id : (struct bytes){ NULL, 0 });
	if (sub && sub->label)
		read_receiver(c, sub, s);
	else
		snapshot_fail(s, -ENOMEM);
}

static void subscriptions_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	if (s->is_reading) {
		while (snapshot_more(s, false))
			read_subscription(c, s);
		return;
	}
	for (struct subscription *sub = c->subscriptions; sub; sub = sub->next) {
		snapshot_more(s, true);
		write_subscription(c, sub, s);
	}
	snapshot_more(s, false);
}

/* --- what few have ------------------------------------------------------------------------------------ */

static void extra_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	if (!snapshot_bool(s, c->extra != NULL))
		return;
	if (!client_extra(c)) {
		snapshot_fail(s, -ENOMEM);
		return;
	}
	SNAPSHOT(s, u64, c->extra->held_until);
	SNAPSHOT(s, u64, c->extra->decided_at);
	takeover_snapshot(c, s);
	client_attributes_snapshot(c, s);
	transactions_snapshot(c, s);
}

void client_snapshot(struct sockjs_client *c, struct snapshot *s)
{
	if (!snapshot_enter(s, "CLNT", 1))
		return;
	flags_snapshot(c, s);
	stomp_conn_snapshot(&c->conn, s);
	identity_snapshot(c, s);
	if (!snapshot_error(s))
		member_snapshot(c, s);
	if (!snapshot_error(s))
		extra_snapshot(c, s);
	if (!snapshot_error(s))
		subscriptions_snapshot(c, s);
	snapshot_leave(s);
}
