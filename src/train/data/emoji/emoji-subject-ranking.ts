/**
 * @file Subjects in the order in which a model with little training time should learn them: things that anybody can
 * name and that look unlike each other first. Every prefix is meant to be a sensible, mixed set.
 */

const slugs = (text: string): string[] => text.trim().split(/\s+/);

/** Icon slugs, best known first. */
export const EMOJI_RANKING: readonly string[] = [
  // 1 to 24
  ...slugs(`
    red-apple dog cat automobile banana red-heart sunflower pizza
    rocket house butterfly snowman umbrella penguin strawberry soccer-ball
    elephant birthday-cake evergreen-tree grinning-face guitar tropical-fish rainbow hamburger`),
  // 25 to 100
  ...slugs(`
    star sun fire airplane bicycle sailboat crescent-moon cloud-with-rain
    carrot lemon grapes watermelon cherries tangerine pineapple pear
    tomato avocado mushroom soft-ice-cream doughnut cookie french-fries cheese-wedge
    lion tiger-face bear panda fox frog pig-face cow-face
    rabbit-face mouse-face horse owl turtle snake octopus crab
    spouting-whale shark snail honeybee lady-beetle spider unicorn rose
    cactus palm-tree four-leaf-clover basketball balloon wrapped-gift crown key
    bell light-bulb hammer scissors pencil camera alarm-clock hourglass-done
    bus fire-engine tractor helicopter skull ghost robot alien
    jack-o-lantern smiling-face-with-sunglasses face-with-tears-of-joy smiling-face-with-heart-eyes`),
  // 101 to 200
  ...slugs(`
    christmas-tree santa-claus baby-chick rooster duck eagle parrot flamingo
    koala monkey-face wolf raccoon giraffe zebra kangaroo gorilla
    camel ewe goat crocodile t-rex dragon dolphin
    squid lobster shrimp jellyfish scorpion ant bat hedgehog
    tulip cherry-blossom hibiscus maple-leaf potted-plant seedling snowflake cloud
    high-voltage volcano full-moon ringed-planet globe-showing-europe-africa droplet water-wave tornado
    bread croissant egg bacon hot-dog taco sandwich spaghetti
    sushi popcorn pancakes pretzel cupcake lollipop candy chocolate-bar
    hot-beverage beer-mug wine-glass cocktail-glass glass-of-milk honey-pot peach mango
    kiwi-fruit coconut eggplant broccoli ear-of-corn potato onion cucumber
    hot-pepper tennis baseball american-football trophy chess-pawn game-die video-game
    teddy-bear violin trumpet drum microphone television laptop telephone
    mobile-phone magnifying-glass-tilted-left anchor magnet`),
  // 201 to 300
  ...slugs(`
    closed-book open-book envelope glasses sunglasses top-hat t-shirt dress
    jeans high-heeled-shoe running-shoe socks gloves necktie handbag backpack
    ring gem-stone money-bag coin locked bomb candle toolbox
    wrench axe screwdriver carpentry-saw broom bucket toothbrush
    bathtub toilet bed chair door window couch-and-lamp ladder
    syringe pill microscope telescope test-tube dna battery gear
    ambulance police-car taxi delivery-truck racing-car motorcycle locomotive ship
    canoe flying-saucer parachute roller-coaster ferris-wheel castle church tent
    factory hospital school fountain statue-of-liberty mount-fuji desert-island beach-with-umbrella
    crying-face angry-face sleeping-face winking-face thinking-face clown-face cowboy-hat-face pile-of-poo
    nerd-face face-with-medical-mask smiling-face-with-halo smiling-face-with-horns exploding-head hot-face cold-face
    thumbs-up victory-hand waving-hand raised-hand flexed-biceps eye ear nose
    mouth tongue tooth bone brain footprints baby astronaut`),
  // 301 to 400 and a few more
  ...slugs(`
    leopard rhinoceros hippopotamus mammoth bison deer moose beaver otter sloth badger skunk llama boar
    swan peacock dove turkey dodo goose hatching-chick seal polar-bear whale blowfish oyster coral
    lizard beetle mosquito fly worm bug cockroach cricket spider-web feather
    cat-face dog-face horse-face dragon-face sauropod paw-prints
    sheaf-of-rice herb bouquet blossom deciduous-tree fallen-leaf lotus wilted-flower nest-with-eggs
    melon green-apple blueberries lime olive garlic ginger-root bell-pepper leafy-green     bagel waffle baguette-bread burrito meat-on-bone poultry-leg cut-of-meat cooking steaming-bowl pot-of-food
    rice-ball cooked-rice dumpling fried-shrimp fortune-cookie custard pie shortcake ice-cream teapot
    bottle-with-popping-cork clinking-beer-mugs tropical-drink cup-with-straw baby-bottle salt chopsticks
    kitchen-knife spoon fork-and-knife
    volleyball rugby-football bowling boxing-glove ice-skate skis skateboard roller-skate kite yo-yo bullseye
    fishing-pole diving-mask sled puzzle-piece crystal-ball magic-wand party-popper firecracker ticket military-medal
    artist-palette thread yarn saxophone accordion banjo flute musical-note headphone radio
    computer-mouse keyboard printer floppy-disk optical-disk video-camera clapper-board abacus
    newspaper scroll notebook calendar paperclip pushpin straight-ruler fountain-pen crayon paintbrush
    bow-and-arrow crossed-swords shield dagger boomerang hook link nut-and-bolt
    basket soap sponge mirror plunger razor lotion-bottle safety-pin
    shopping-cart package credit-card pick flashlight red-paper-lantern electric-plug
    bikini shorts coat scarf kimono billed-cap graduation-cap ballet-shoes womans-hat womans-boot lipstick
    watch compass world-map luggage thermometer fuel-pump vertical-traffic-light stop-sign
    motor-scooter kick-scooter speedboat passenger-ship bullet-train tram articulated-lorry wheel
    mountain snow-capped-mountain camping stadium bank hotel mosque japanese-castle moai
    comet shooting-star sun-with-face sun-behind-cloud cloud-with-snow wind-face
    face-blowing-a-kiss face-with-thermometer zany-face partying-face star-struck ninja
    hand-with-fingers-splayed oncoming-fist clapping-hands ok-hand foot leg anatomical-heart
    broken-heart blue-heart green-heart yellow-heart purple-heart hundred-points speech-balloon zzz
    warning check-mark cross-mark red-question-mark right-arrow recycling-symbol radioactive yin-yang peace-symbol`),
];
