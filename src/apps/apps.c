/*
 * apps/apps.c - the list of applications; the one place that names them all.
 */
#include "apps/apps.h"

#include <string.h>

static const struct app *const table[] = {
	&echo_app,
	&broadcast_app,
	&close_app,
	&amplify_app,
	&ticker_app,
	&upstream_app,
	&stomp_app,
	&hooks_app,
	&unruly_app,
	&doctor_app,
};

const struct app *const *apps_table(size_t *count)
{
	*count = sizeof(table) / sizeof(*table);
	return table;
}

const struct app *app_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	return NULL;
}
