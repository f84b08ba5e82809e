"""Setting campaigns up: classes, people, importing images, their pages in the admin."""
