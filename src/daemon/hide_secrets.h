/*
 * daemon/hide_secrets.h - a configuration for people who need not know its secrets.
 */
#ifndef DAEMON_HIDE_SECRETS_H
#define DAEMON_HIDE_SECRETS_H

#include <jansson.h>

/* In a configuration as print_config.c makes it: whatever the table of options says is secret
 * becomes "***". 0 or -ENOMEM; then some of it may still be there. */
int hide_secrets(json_t *root);

#endif
