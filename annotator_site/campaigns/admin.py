"""The pages of the pools in the admin. Importing this registers them.

Read `admin_base.py` first (why the lists stay fast at a million rows), then `admin_campaign.py`.
"""

from annotator_site.campaigns import admin_campaign, admin_engine, admin_images, admin_pools

__all__ = ["admin_campaign", "admin_engine", "admin_images", "admin_pools"]
