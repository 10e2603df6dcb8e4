/*
 * daemon/ctl_show.h - what `sockjsd ctl` prints for people: the answers of a server, each in its
 * own way.
 */
#ifndef DAEMON_CTL_SHOW_H
#define DAEMON_CTL_SHOW_H

#include "daemon/table.h"

/* Tables whose rows may come in several answers. */
extern const struct table ctl_sessions, ctl_users, ctl_endpoints, ctl_backends, ctl_limited,
    ctl_gateways, ctl_doctor, ctl_networks;

/* A row for each session of the users of an answer of /api/users; a new reference, or NULL: memory
 * is out. */
json_t *ctl_rows_of_users(const json_t *answer);
/* A row for each report of the networks of an answer of /api/doctor; likewise. */
json_t *ctl_rows_of_doctor(const json_t *answer);
/* One session in detail. 0 or -ENOMEM. */
int ctl_show_session(const json_t *answer);

#endif
