"""The pages of the pools in the admin. Importing this registers them.

Read `base.py` first (why the lists stay fast at a million rows), then `campaign.py`.
"""

from annotator_site.campaigns.admin import campaign, engine, images, pools

__all__ = ["campaign", "engine", "images", "pools"]
