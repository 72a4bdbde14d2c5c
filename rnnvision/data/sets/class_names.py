"""The class names of the larger data sets, in the order of their labels."""


def _names(text: str) -> tuple[str, ...]:
    """Names between commas, whatever the line breaks."""
    return tuple(" ".join(name.split()) for name in text.split(","))


DIGITS = tuple("0123456789")

FASHION_MNIST = _names("T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot")

KMNIST = _names("o, ki, su, tsu, na, ha, ma, ya, re, wo")

CIFAR10 = _names("airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck")

CIFAR100 = _names("""
    apple, aquarium_fish, baby, bear, beaver, bed, bee, beetle, bicycle, bottle, bowl, boy, bridge, bus, butterfly,
    camel, can, castle, caterpillar, cattle, chair, chimpanzee, clock, cloud, cockroach, couch, crab, crocodile, cup,
    dinosaur, dolphin, elephant, flatfish, forest, fox, girl, hamster, house, kangaroo, keyboard, lamp, lawn_mower,
    leopard, lion, lizard, lobster, man, maple_tree, motorcycle, mountain, mouse, mushroom, oak_tree, orange, orchid,
    otter, palm_tree, pear, pickup_truck, pine_tree, plain, plate, poppy, porcupine, possum, rabbit, raccoon, ray, road,
    rocket, rose, sea, seal, shark, shrew, skunk, skyscraper, snail, snake, spider, squirrel, streetcar, sunflower,
    sweet_pepper, table, tank, telephone, television, tiger, tractor, train, trout, tulip, turtle, wardrobe, whale,
    willow_tree, wolf, woman, worm
""")

STL10 = _names("airplane, bird, car, cat, deer, dog, horse, monkey, ship, truck")

EUROSAT = _names("""
    AnnualCrop, Forest, HerbaceousVegetation, Highway, Industrial, Pasture, PermanentCrop, Residential, River, SeaLake
""")

IMAGENETTE = _names("""
    tench, English springer, cassette player, chain saw, church, French horn, garbage truck, gas pump, golf ball,
    parachute
""")

GTSRB = _names("""
    speed limit 20, speed limit 30, speed limit 50, speed limit 60, speed limit 70, speed limit 80,
    end of speed limit 80, speed limit 100, speed limit 120, no passing, no passing above 3.5 t,
    right of way at the next intersection, priority road, yield, stop, no vehicles, no vehicles above 3.5 t, no entry,
    general caution, dangerous curve left, dangerous curve right, double curve, bumpy road, slippery road,
    road narrows on the right, road work, traffic signals, pedestrians, children crossing, bicycles crossing,
    ice or snow, wild animals crossing, end of all limits, turn right ahead, turn left ahead, ahead only,
    straight or right, straight or left, keep right, keep left, roundabout, end of no passing,
    end of no passing above 3.5 t
""")

FLOWERS102 = _names("""
    pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon orchid,
    bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle, yellow iris,
    globe-flower, purple coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily, pincushion flower,
    fritillary, red ginger, grape hyacinth, corn poppy, prince of wales feathers, stemless gentian, artichoke,
    sweet william, carnation, garden phlox, love in the mist, mexican aster, alpine sea holly, ruby-lipped cattleya,
    cape flower, great masterwort, siam tulip, lenten rose, barbeton daisy, daffodil, sword lily, poinsettia,
    bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia, wild pansy, primula,
    sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, pink-yellow dahlia, cautleya spicata,
    japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum, spring crocus, bearded iris,
    windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple, morning glory, passion flower, lotus,
    toad lily, anthurium, frangipani, clematis, hibiscus, columbine, desert-rose, tree mallow, magnolia, cyclamen,
    watercress, canna lily, hippeastrum, bee balm, ball moss, foxglove, bougainvillea, camellia, mallow,
    mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily
""")

OXFORD_PETS = _names("""
    Abyssinian, American Bulldog, American Pit Bull Terrier, Basset Hound, Beagle, Bengal, Birman, Bombay, Boxer,
    British Shorthair, Chihuahua, Egyptian Mau, English Cocker Spaniel, English Setter, German Shorthaired,
    Great Pyrenees, Havanese, Japanese Chin, Keeshond, Leonberger, Maine Coon, Miniature Pinscher, Newfoundland,
    Persian, Pomeranian, Pug, Ragdoll, Russian Blue, Saint Bernard, Samoyed, Scottish Terrier, Shiba Inu, Siamese,
    Sphynx, Staffordshire Bull Terrier, Wheaten Terrier, Yorkshire Terrier
""")
