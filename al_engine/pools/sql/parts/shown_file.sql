              -- The file of `image` that people are shown: its display copy, if it has one.
              coalesce(image.display_key, image.key) AS key,
              coalesce(image.display_width, image.width) AS width,
              coalesce(image.display_height, image.height) AS height
