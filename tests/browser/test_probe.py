from stock import make_annotator, make_campaign, stock
from .labeler import Labeler
def test_probe(make_digits, open_page):
    c = make_digits(images=40)
    p = make_annotator(c)
    for touch in (False, True):
        page = open_page(p, has_touch=touch, is_mobile=touch)
        a = Labeler(page, c, p.annotator_id).open()
        for k in "7314": a.press(k)
        a.press("s")
        a.await_pending(0); a.shown()
        for w,h in ((1280,800),(1280,720),(1280,680),(1366,640),(1024,600),(390,844),(844,390),(320,568)):
            page.set_viewport_size({"width":w,"height":h})
            page.wait_for_timeout(250)
            page.screenshot(path=f"/tmp/probe/x{int(touch)}-{w}-{h}.png")
