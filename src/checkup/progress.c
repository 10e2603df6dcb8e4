/*
 * checkup/progress.c - lines that change; see progress.h.
 */
#include "checkup/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "checkup/report.h"

static const char *stage_words(const struct checkup_view *v, char *text, size_t size)
{
	static const char *const words[] = { [STAGE_REACHING] = "connecting",
		[STAGE_INFO] = "asking for /info",
		[STAGE_TRIALS] = "trying all transports",
		[STAGE_ORIGIN] = "asking without an origin",
		[STAGE_TELLING] = "telling the gateway",
		[STAGE_DONE] = "done" };

	if (v->stage != STAGE_IDLE)
		return words[v->stage];
	snprintf(text, size, "being quiet for %d s", v->facts->idle_s);
	return text;
}

void progress_init(struct progress *p, FILE *to)
{
	struct winsize size;

	*p = (struct progress){ .to = to, .is_terminal = isatty(fileno(to)) };
	if (p->is_terminal && ioctl(fileno(to), TIOCGWINSZ, &size) == 0)
		p->width = size.ws_col;
}

static void way_words(char *text, size_t size, const struct checkup_view *v, enum way way)
{
	const struct way_facts *w = &v->facts->way[way];

	if (w->is_done || (!w->is_tried && v->stage > STAGE_TRIALS))
		report_way(text, size, v->facts, way);
	else
		snprintf(text, size, "%s", w->is_tried ? v->doing[way] : "-");
}

/* --- a terminal ---------------------------------------------------------------------------- */

/* A line that the terminal would break could not be taken back. */
static void put_line(struct progress *p, const char *name, const char *text)
{
	int width = p->width > 20 ? (int)p->width - 17 : 60;

	fprintf(p->to, "\r%-13s  %.*s\033[K\n", name, width, text);
	p->drawn++;
}

static void take_back(struct progress *p)
{
	if (p->drawn > 0)
		fprintf(p->to, "\r\033[%uA", p->drawn);
	p->drawn = 0;
}

static void redraw(struct progress *p, const struct checkup_view *v)
{
	char text[600];

	take_back(p);
	put_line(p, "doctor", stage_words(v, text, sizeof(text)));
	for (int i = 0; v->stage >= STAGE_TRIALS && i < WAYS; i++) {
		way_words(text, sizeof(text), v, (enum way)i);
		put_line(p, way_name((enum way)i), text);
	}
	fflush(p->to);
}

/* --- anything else ------------------------------------------------------------------------- */

static void tell(struct progress *p, const struct checkup_view *v)
{
	char text[600];

	if (!p->is_begun || p->stage != v->stage)
		fprintf(p->to, "%s\n", stage_words(v, text, sizeof(text)));
	for (int i = 0; i < WAYS; i++) {
		if (p->told[i] || !v->facts->way[i].is_done)
			continue;
		p->told[i] = true;
		report_way(text, sizeof(text), v->facts, (enum way)i);
		fprintf(p->to, "%s: %s\n", way_name((enum way)i), text);
	}
	fflush(p->to);
}

void progress_show(void *arg, const struct checkup_view *view)
{
	struct progress *p = arg;

	if (p->is_terminal)
		redraw(p, view);
	else
		tell(p, view);
	p->is_begun = true;
	p->stage = view->stage;
}

void progress_end(struct progress *p)
{
	if (!p->is_terminal || p->drawn == 0)
		return;
	take_back(p);
	fprintf(p->to, "\033[J");
	fflush(p->to);
}
