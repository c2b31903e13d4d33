"""The schema that the migrations build: every table of the server and of the tools.

A module with tables of its own is imported here, so that the metadata knows of them.
"""

from sqlalchemy import MetaData

import app.auth.tables
import app.database
import app.threads.tables
import app.usage.audit_table
import app.usage.feedback_table
import app.usage.tables
import tools.portfolio.tables

TARGET: tuple[MetaData, ...] = (app.database.metadata, tools.portfolio.tables.metadata)
