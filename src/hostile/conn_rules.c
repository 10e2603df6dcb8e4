/*
 * hostile/conn_rules.c - which rules act on a connection, and what that means; see conn_private.h.
 *
 * A rule that has begun to act on a connection (or, with `on`, on a request) goes on until that
 * ends, or its time is over. Chance, and how often it may act, are looked at when it begins.
 */
#include "hostile/chance.h"
#include "hostile/conn_private.h"

static struct rules *rules_of(const struct conn *c)
{
	return &c->proxy->rules;
}

static uint64_t draw(const struct conn *c, unsigned way, uint64_t what, uint64_t which)
{
	return chance_draw(c->proxy->settings.seed, c->at.connection, way, what, which);
}

/* --- beginning to act --------------------------------------------------------------------- */

static const char *ways_of(const struct rule *r)
{
	if (r->ways[FROM_CLIENT] && r->ways[FROM_SERVER])
		return "both";
	return way_name(r->ways[FROM_CLIENT] ? FROM_CLIENT : FROM_SERVER);
}

/* Without a frame there is none in the line. */
static void tell(
    struct conn *c, const struct rule *r, const char *what, const char *way, uint64_t frame)
{
	conn_say(c, what, LOG_INT("rule", r->id), LOG_STR("kind", rule_name(r->kind)),
	    LOG_STR("text", r->text), LOG_STR("path", c->facts.path), LOG_STR("way", way),
	    LOG_INT("frame", frame ? (int64_t)frame : -1));
}

static bool has_luck(struct conn *c, struct rule *r, unsigned way, uint64_t which)
{
	if (r->times && r->used >= r->times)
		return false;
	if (r->chance < 1000000 && draw(c, way, r->id, which) % 1000000 >= r->chance)
		return false;
	r->used++;
	c->proxy->stats.rules++;
	return true;
}

static void claim(struct conn *c, struct rule *r, struct rule_use *u, uint64_t scope)
{
	u->scope = scope;
	u->began_ms = c->at.now;
	u->is_over = false;
	u->is_refused = !has_luck(c, r, WAYS, scope == CONNECTION ? 0 : scope);
	if (!u->is_refused)
		tell(c, r, "a rule acts", ways_of(r), 0);
}

/* Whether its time is not over. */
static bool lasts(struct conn *c, struct rule *r, struct rule_use *u)
{
	uint64_t from = r->has_at ? c->at.rules_ms + r->at_ms : u->began_ms;

	if (!r->for_ms || rule_is_of_request(r))
		return true;
	if (c->at.now < from + r->for_ms) {
		if (from + r->for_ms - c->at.now < c->rule_wait)
			c->rule_wait = from + r->for_ms - c->at.now;
		return true;
	}
	if (!u->is_over)
		tell(c, r, "a rule is over", ways_of(r), 0);
	u->is_over = true;
	return false;
}

/* Rules that were replaced are others, whatever their places. */
static void look_at_rules(struct conn *c)
{
	struct rules *rules = rules_of(c);

	c->at.now = loop_now(c->proxy->loop);
	c->at.rules_ms = rules->given_ms;
	if (c->generation == rules->generation)
		return;
	memset(c->use, 0, sizeof(c->use));
	c->generation = rules->generation;
}

bool conn_rule_acts(struct conn *c, size_t i)
{
	struct rule *r = rules_of(c)->rule[i];
	struct rule_use *u = &c->use[i];
	uint64_t scope = r->target_count || rule_is_of_request(r) ? c->at.requests : CONNECTION;

	if (!rule_is_about(r, &c->at))
		return false;
	if (u->scope != scope) {
		if (!rule_is_due(r, &c->at, &c->rule_wait))
			return false;
		claim(c, r, u, scope);
	}
	return !u->is_refused && lasts(c, r, u);
}

/* --- what goes on ----------------------------------------------------------------------------- */

/* Of two rules for the same the first counts; so zero, which is what an empty one has, is filled.
 */
static void fill(uint64_t *setting, uint64_t value)
{
	if (*setting == 0)
		*setting = value;
}

static void set_one(struct pipe_settings *set, const struct rule *r)
{
	if (r->kind == RULE_STALL)
		set->stalled = true;
	else if (r->kind == RULE_DELAY)
		fill(&set->delay_ms, r->ms);
	else if (r->kind == RULE_RATE)
		fill(&set->rate, r->n);
	else if (r->kind == RULE_COALESCE)
		fill(&set->coalesce_ms, r->ms);
	else if (r->kind == RULE_PIECES && set->piece == 0) {
		set->piece = r->n;
		set->every_ms = r->every;
	} else if (r->kind == RULE_HOLD && !set->holds) {
		set->holds = true;
		set->hold = r->n;
	}
}

/* What follows 101 is no message that somebody would hold, unless the rule is about that. */
static bool is_in_place(const struct conn *c, const struct rule *r)
{
	bool is_message = c->phase != CONN_FRAMES && c->phase != CONN_OPAQUE;

	return r->kind != RULE_HOLD || is_message || r->target_count > 0;
}

static void act(
    struct conn *c, const struct rule *r, struct pipe_settings set[WAYS], bool black[WAYS])
{
	if (r->kind == RULE_CUT) {
		conn_cut(c, r->how, r->ways);
		return;
	}
	for (int way = 0; way < WAYS; way++) {
		if (!r->ways[way])
			continue;
		set_one(&set[way], r);
		black[way] |= r->kind == RULE_BLACK;
	}
}

static bool is_lasting(const struct rule *r)
{
	return r->kind >= RULE_BLACK && r->kind != RULE_CORRUPT && r->kind != RULE_ACCEPT_NOTHING;
}

void conn_apply_rules(struct conn *c)
{
	struct pipe_settings set[WAYS] = { 0 };
	bool black[WAYS] = { c->is_forgotten, c->is_forgotten };
	struct rules *rules = rules_of(c);

	look_at_rules(c);
	c->rule_wait = NEVER;
	for (size_t i = 0; i < rules->count && c->phase != CONN_ENDING; i++) {
		struct rule *r = rules->rule[i];

		if (is_lasting(r) && is_in_place(c, r) && conn_rule_acts(c, i))
			act(c, r, set, black);
	}
	for (int way = 0; way < WAYS; way++) {
		pipe_set(conn_pipe(c, way), &set[way]);
		c->side[way].is_black = black[way] || c->is_forgotten;
	}
}

/* --- one frame, one octet ------------------------------------------------------------------------
 */

static bool is_chosen(const struct rule *r, uint64_t frame)
{
	if (r->n)
		return frame == r->n;
	return !r->every || frame % r->every == 0;
}

static bool drops(struct conn *c, struct rule *r, enum way way, uint64_t frame)
{
	return r->kind == RULE_DROP && r->ways[way] && is_chosen(r, frame) &&
	       rule_is_about(r, &c->at) && rule_is_due(r, &c->at, &c->rule_wait) &&
	       has_luck(c, r, way, frame);
}

bool conn_drops_frame(struct conn *c, enum way way)
{
	struct rules *rules = rules_of(c);
	uint64_t frame = c->at.here.frames[way] + 1;

	for (size_t i = 0; i < rules->count; i++)
		if (drops(c, rules->rule[i], way, frame)) {
			tell(c, rules->rule[i], "a frame is dropped", way_name(way), frame);
			return true;
		}
	return false;
}

bool conn_corrupts(struct conn *c, enum way way, uint8_t *by)
{
	struct rules *rules = rules_of(c);

	for (size_t i = 0; i < rules->count; i++) {
		struct rule *r = rules->rule[i];

		if (r->kind != RULE_CORRUPT || !r->ways[way] || !rule_is_about(r, &c->at) ||
		    rule_counts(r, &c->at)->bytes[way] != r->n - 1 || !has_luck(c, r, way, r->n))
			continue;
		*by = (uint8_t)(draw(c, way, r->id, r->n) % 255 + 1);
		tell(c, r, "an octet is spoilt", way_name(way), 0);
		return true;
	}
	return false;
}

uint64_t conn_edge(const struct conn *c, enum way way)
{
	struct rules *rules = rules_of(c);
	uint64_t edge = NEVER, at;

	for (size_t i = 0; i < rules->count; i++) {
		at = rule_edge(rules->rule[i], &c->at, way);
		if (at < edge && rule_is_about(rules->rule[i], &c->at))
			edge = at;
	}
	return edge;
}

/* By frames, or by blocks of octets: what the kernel gives at a time must not matter. */
uint64_t conn_jitter(struct conn *c, enum way way)
{
	struct rules *rules = rules_of(c);
	uint64_t which =
	    c->phase == CONN_FRAMES ? c->at.total.frames[way] : c->at.total.bytes[way] / 4096;

	for (size_t i = 0; i < rules->count; i++) {
		struct rule *r = rules->rule[i];

		if (r->kind == RULE_DELAY && r->ways[way] && conn_rule_acts(c, i))
			return draw(c, way, r->id, which) % (r->jitter_ms + 1);
	}
	return 0;
}
