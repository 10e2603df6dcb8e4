/*
 * networks/network.c - scores of one network, and what follows from them; see network.h.
 */
#include "networks/network.h"

#define MOST    64.0f /* of a score, so that what was true for years is soon forgotten */
#define LITTLE  0.25f /* less is as good as nothing */
#define TRUSTED 3.5f  /* WebSockets that have been heard */
#define PROOFS  1.5f  /* silences survived, until all go by that, */
#define PLENTY                                                                                     \
	5.5f /* and until somebody tries a longer one: who is alone there is not disturbed soon */
#define TRIALS     2    /* under way at a time: what they cost if it goes wrong */
#define MUCH       1.5f /* WebSockets that failed, until the others are not offered any */
#define HALVES_MAX 20

const char *network_evidence_word(enum network_evidence what)
{
	static const char *const words[] = {
#define X(name, word) word,
		NETWORK_EVIDENCE(X)
#undef X
	};

	return words[what];
}

/* --- time ------------------------------------------------------------------------------- */

/* A half for each half-life, in between a straight line. */
static float fading(uint64_t ms, unsigned half_life_ms)
{
	uint64_t halves = ms / half_life_ms;
	float rest = (float)(ms % half_life_ms) / (float)half_life_ms;

	if (halves >= HALVES_MAX)
		return 0;
	return (1.0f - rest / 2) / (float)(1u << halves);
}

/* Clocks of two reactors differ by a turn. */
void network_age(struct network *n, const struct network_settings *settings, uint64_t now_ms)
{
	float f;

	if (now_ms <= n->at_ms)
		return;
	f = fading(now_ms - n->at_ms, settings->half_life_ms);
	n->at_ms = now_ms;
	n->held *= f;
	n->flows *= f;
	n->silent *= f;
	n->speaks *= f;
	for (unsigned i = 0; i < NETWORK_RUNGS; i++) {
		n->rungs[i].survived *= f;
		n->rungs[i].cut *= f;
	}
}

/* --- evidence ------------------------------------------------------------------------------- */

static void add(float *score, float more)
{
	*score = *score + more < MOST ? *score + more : MOST;
}

void network_learn(struct network *n, enum network_evidence what)
{
	switch (what) {
	case NETWORK_STREAM_HELD:
		add(&n->held, 1);
		break;
	case NETWORK_STREAM_FLOWS:
		add(&n->flows, 1);
		break;
	case NETWORK_WEBSOCKET_SILENT:
	case NETWORK_WEBSOCKET_BLACK:
		add(&n->silent, 1);
		break;
	case NETWORK_WEBSOCKET_SPEAKS:
		add(&n->speaks, 1);
		break;
	case NETWORK_WEBSOCKET_STRIPPED:
	case NETWORK_SILENCE_SURVIVED:
	case NETWORK_SILENCE_CUT:
	case NETWORK_EVIDENCE_ROWS:
		break;
	}
}

/* --- policy ------------------------------------------------------------------------------- */

bool network_holds(const struct network *n)
{
	return n->held >= 0.5f && n->held > n->flows;
}

bool network_has_failures(const struct network *n)
{
	return n->silent >= LITTLE;
}

bool network_refuses_websocket(
    const struct network *n, const struct network_settings *settings, bool is_client)
{
	return settings->adapts && settings->refuses_websocket &&
	       n->silent >= (is_client ? 0.5f : MUCH) && n->silent > n->speaks;
}

static bool is_cut(const struct network_rung *rung)
{
	return rung->cut >= LITTLE && rung->cut * 4 > rung->survived;
}

static bool is_safe(const struct network_rung *rung)
{
	return rung->survived >= PROOFS && !is_cut(rung);
}

/* The highest on which all go. */
static unsigned safe_rung(const struct network *n)
{
	unsigned rung = 0;

	while (rung < NETWORK_RUNG_TOP && is_safe(&n->rungs[rung + 1]))
		rung++;
	return rung;
}

/* The lowest rung on which it is as configured: there are none beyond. */
static unsigned last_rung(const struct network_settings *settings)
{
	struct network_policy p = { .rung = 0 };

	while (p.rung < NETWORK_RUNG_TOP &&
	       network_silence_ms(p, settings->first_silence_ms, settings->most_silence_ms) <
	           settings->most_silence_ms)
		p.rung++;
	return p.rung;
}

static unsigned rung_of(const struct network *n, const struct network_settings *settings)
{
	unsigned rung = safe_rung(n);

	if (!settings->adapts || settings->first_silence_ms == 0 ||
	    settings->most_silence_ms == 0 || rung >= last_rung(settings))
		return NETWORK_RUNG_TOP;
	return rung;
}

static bool choose(enum network_choice choice, bool if_auto)
{
	return choice == NETWORK_ALWAYS || (choice == NETWORK_AUTO && if_auto);
}

struct network_policy network_policy(
    const struct network *n, const struct network_settings *settings)
{
	bool adapts = settings->adapts;

	return (struct network_policy){
		.rung = rung_of(n, settings) & NETWORK_RUNG_MASK,
		.is_short = choose(settings->short_streams, adapts && network_holds(n)),
		.is_proved = choose(settings->prove, adapts && network_has_failures(n)),
		.is_watched = adapts && settings->answer_ms > 0 &&
		              (n->speaks < TRUSTED || network_has_failures(n)),
	};
}

/* --- silences ------------------------------------------------------------------------------- */

static void note(struct network *n, unsigned rung, enum network_silence_end end)
{
	if (end == NETWORK_OUTLASTED)
		add(&n->rungs[rung].survived, 1);
	else if (end == NETWORK_WAS_CUT)
		add(&n->rungs[rung].cut, 1);
}

/* A few go ahead, and the others follow once these are back. */
static bool may_try(const struct network *n, unsigned rung)
{
	return n->trials < TRIALS && n->rungs[rung - 1].survived >= PLENTY &&
	       !is_cut(&n->rungs[rung]);
}

void network_silence(struct network *n, const struct network_settings *settings,
    enum network_silence_end end, struct network_policy *p)
{
	unsigned rung = p->rung;

	if (rung == NETWORK_RUNG_TOP && !p->is_trial)
		return;
	note(n, rung, end);
	if (p->is_trial)
		n->trials = (uint8_t)(n->trials - (n->trials > 0));
	p->is_trial = false;
	p->rung = rung_of(n, settings) & NETWORK_RUNG_MASK;
	if (end == NETWORK_OUTLASTED && p->rung != NETWORK_RUNG_TOP && may_try(n, p->rung + 1u)) {
		p->rung = (p->rung + 1u) & NETWORK_RUNG_MASK;
		p->is_trial = true;
		n->trials++;
	}
}

unsigned network_survives_ms(const struct network *n, const struct network_settings *settings)
{
	struct network_policy p = { .rung = rung_of(n, settings) & NETWORK_RUNG_MASK };

	return network_silence_ms(p, settings->first_silence_ms, settings->most_silence_ms);
}
