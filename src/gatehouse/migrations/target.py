"""The schema that our migrations build: every table of the server.

A module with tables is imported here, so that the metadata knows of them.
"""

import gatehouse.approvals.tables
import gatehouse.attachments.tables
import gatehouse.audit.table
import gatehouse.auth.api_keys.tables
import gatehouse.auth.tokens.revocations
import gatehouse.ledger.table
import gatehouse.storage.database
import gatehouse.store.table
import gatehouse.threads.tables
import gatehouse.usage.feedback_table
import gatehouse.usage.tables
import gatehouse.webhooks.table

TARGET = gatehouse.storage.database.metadata
